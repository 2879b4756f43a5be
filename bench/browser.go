package main

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"net/url"
	"strconv"
	"strings"
)

// browser is one connection with its cookies. It speaks just enough HTTP/1.1:
// the load must cost little, because it shares the machine with the server.
type browser struct {
	w       *world
	conn    net.Conn
	r       *bufio.Reader
	binding string // cookie of the sign-in page
	session string
	authSum [32]byte
}

func newBrowser(w *world) (*browser, error) {
	c, err := net.Dial("tcp", w.address)
	if err != nil {
		return nil, err
	}
	b := &browser{w: w, conn: c, r: bufio.NewReaderSize(c, 16<<10), authSum: sha256.Sum256([]byte("localhost"))}
	if _, _, err := b.do("GET", "/signin", "text/html", ""); err != nil {
		return nil, err
	}
	if b.binding == "" {
		return nil, fmt.Errorf("the sign-in page set no cookie")
	}
	return b, nil
}

func (b *browser) close() { b.conn.Close() }

// do sends one request and returns the body and the Location of its answer. It
// keeps the cookies that matter.
func (b *browser) do(method, path, kind, body string) (string, string, error) {
	var q bytes.Buffer
	fmt.Fprintf(&q, "%s %s HTTP/1.1\r\nHost: %s\r\nAccept: %s\r\n", method, path, b.w.host, kind)
	if method == "POST" {
		if strings.HasPrefix(path, "/signin") || strings.HasPrefix(path, "/security-info") { // the token endpoint is called by the application, not by a page
			fmt.Fprintf(&q, "Origin: %s\r\nSec-Fetch-Site: same-origin\r\n", b.w.origin)
		}
		fmt.Fprintf(&q, "Content-Type: %s\r\nContent-Length: %d\r\n", kind, len(body))
	}
	if b.binding != "" {
		fmt.Fprintf(&q, "Cookie: %s", b.binding)
		if b.session != "" {
			q.WriteString("; " + b.session)
		}
		q.WriteString("\r\n")
	}
	q.WriteString("\r\n")
	q.WriteString(body)
	if _, err := b.conn.Write(q.Bytes()); err != nil {
		return "", "", err
	}
	return b.answer(method + " " + path)
}

func (b *browser) answer(what string) (body, location string, err error) {
	tp := textproto.NewReader(b.r)
	status, err := tp.ReadLine()
	if err != nil {
		return "", "", err
	}
	length, chunked := 0, false
	for {
		line, err := tp.ReadLine()
		if err != nil {
			return "", "", err
		}
		if line == "" {
			break
		}
		name, value, _ := strings.Cut(line, ": ")
		switch strings.ToLower(name) {
		case "content-length":
			length, _ = strconv.Atoi(value)
		case "transfer-encoding":
			chunked = true
		case "location":
			location = value
		case "set-cookie":
			pair, _, _ := strings.Cut(value, ";")
			if strings.HasPrefix(pair, "__Host-session=") {
				b.session = pair
			} else if b.binding == "" {
				b.binding = pair
			}
		}
	}
	var text []byte
	if chunked {
		for {
			line, err := tp.ReadLine()
			if err != nil {
				return "", "", err
			}
			n, err := strconv.ParseInt(line, 16, 32)
			if err != nil {
				return "", "", err
			}
			part := make([]byte, n+2)
			if _, err := io.ReadFull(b.r, part); err != nil {
				return "", "", err
			}
			if n == 0 {
				break
			}
			text = append(text, part[:n]...)
		}
	} else {
		text = make([]byte, length)
		if _, err := io.ReadFull(b.r, text); err != nil {
			return "", "", err
		}
	}
	if code := status[9:12]; code[0] != '2' && code[0] != '3' {
		return "", "", fmt.Errorf("%s: %s: %.300s", what, status, text)
	}
	return string(text), location, nil
}

// member finds a string member of a JSON text whose values need no unescaping.
func member(text, name string) (string, error) {
	_, after, ok := strings.Cut(text, `"`+name+`":"`)
	if !ok {
		return "", fmt.Errorf("no %q in %.200s", name, text)
	}
	value, _, _ := strings.Cut(after, `"`)
	return value, nil
}

var b64 = base64.RawURLEncoding

// signIn is (a): options, then the assertion.
func signIn(b *browser, p *person) error {
	_, err := b.prove(p, "")
	return err
}

func (b *browser) prove(p *person, flow string) (next string, err error) {
	b.session = ""
	body := "{}"
	if flow != "" {
		body = `{"flow":"` + flow + `"}`
	}
	options, _, err := b.do("POST", "/signin/passkey/options", "application/json", body)
	if err != nil {
		return "", err
	}
	challenge, err := member(options, "challenge")
	if err != nil {
		return "", err
	}
	state, err := member(options, "state")
	if err != nil {
		return "", err
	}
	client := `{"type":"webauthn.get","challenge":"` + challenge + `","origin":"` + b.w.origin + `","crossOrigin":false}`
	data := append(append(make([]byte, 0, 37+32), b.authSum[:]...), 0x1d, 0, 0, 0, 0) // UP, UV, BE, BS
	clientSum := sha256.Sum256([]byte(client))
	sum := sha256.Sum256(append(data, clientSum[:]...))
	sig, err := ecdsa.SignASN1(rand.Reader, p.key, sum[:])
	if err != nil {
		return "", err
	}
	id := b64.EncodeToString(p.credential)
	answer := `{"state":"` + state + `","credential":{"id":"` + id + `","rawId":"` + id + `","type":"public-key","authenticatorAttachment":"platform","clientExtensionResults":{},"response":{"clientDataJSON":"` +
		b64.EncodeToString([]byte(client)) + `","authenticatorData":"` + b64.EncodeToString(data[:37]) + `","signature":"` + b64.EncodeToString(sig) + `","userHandle":"` + b64.EncodeToString(p.handle) + `"}}}`
	done, _, err := b.do("POST", "/signin/passkey", "application/json", answer)
	if err != nil {
		return "", err
	}
	if b.session == "" {
		return "", fmt.Errorf("no session cookie")
	}
	return member(done, "next")
}

// signInWithToken is (b): an application sends the person, gets a code and
// redeems it for tokens.
func signInWithToken(b *browser, p *person) error {
	b.session = ""
	const verifier = "a-verifier-of-at-least-forty-three-characters-long"
	sum := sha256.Sum256([]byte(verifier))
	q := url.Values{"client_id": {b.w.clientID}, "response_type": {"code"}, "redirect_uri": {b.w.redirect}, "scope": {"openid profile"}, "state": {"s"}, "nonce": {"n"},
		"code_challenge": {b64.EncodeToString(sum[:])}, "code_challenge_method": {"S256"}}
	_, location, err := b.do("GET", "/"+b.w.tenant+"/oauth2/v2.0/authorize?"+q.Encode(), "text/html", "")
	if err != nil {
		return err
	}
	u, err := url.Parse(location)
	if err != nil {
		return err
	}
	next, err := b.prove(p, u.Query().Get("flow"))
	if err != nil {
		return err
	}
	page, _, err := b.do("GET", strings.ReplaceAll(next, `\u0026`, "&"), "text/html", "")
	if err != nil {
		return err
	}
	// The page leads on to the application by a link.
	_, after, _ := strings.Cut(page, b.w.redirect+"?code=")
	code, _, ok := strings.Cut(after, "&")
	if !ok {
		return fmt.Errorf("no code in %.400q", page)
	}
	form := url.Values{"client_id": {b.w.clientID}, "grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {b.w.redirect}, "code_verifier": {verifier}}
	tokens, _, err := b.do("POST", "/"+b.w.tenant+"/oauth2/v2.0/token", "application/x-www-form-urlencoded", form.Encode())
	if err != nil {
		return err
	}
	_, err = member(tokens, "id_token")
	return err
}
