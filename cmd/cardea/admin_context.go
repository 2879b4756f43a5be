package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/oauth2"

	"cardea/internal/application"
)

// book is the file of saved sign-ins. It holds tokens, so only its owner may
// read it.
type book struct {
	Current  string           `json:"current"`
	Contexts map[string]saved `json:"contexts"`

	path string
}

// saved is one sign-in.
type saved struct {
	Server   string    `json:"server"`
	ClientID string    `json:"clientId"`
	CA       string    `json:"ca,omitempty"`
	User     string    `json:"user"`
	Access   string    `json:"accessToken"`
	Refresh  string    `json:"refreshToken"`
	Expires  time.Time `json:"expires"`
	Cert     string    `json:"certificate,omitempty"` // of a robot: the file with its key
}

func openBook() (*book, error) {
	dir := os.Getenv("CARDEA_CONFIG_DIR")
	if dir == "" {
		home, err := os.UserConfigDir()
		if err != nil {
			return nil, err
		}
		dir = filepath.Join(home, "cardea")
	}
	b := &book{Contexts: map[string]saved{}, path: filepath.Join(dir, "contexts.json")}
	raw, err := os.ReadFile(b.path)
	if errors.Is(err, fs.ErrNotExist) {
		return b, nil
	}
	if err != nil {
		return nil, err
	}
	if info, err := os.Stat(b.path); err == nil && info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("%s can be read by others; run: chmod 600 %s", b.path, b.path)
	}
	if err := json.Unmarshal(raw, b); err != nil {
		return nil, fmt.Errorf("%s is damaged; delete it and sign in again: %w", b.path, err)
	}
	if b.Contexts == nil {
		b.Contexts = map[string]saved{}
	}
	return b, nil
}

// save replaces the file in one step, so that a crash loses nothing.
func (b *book) save() error {
	if err := os.MkdirAll(filepath.Dir(b.path), 0o700); err != nil {
		return err
	}
	raw, err := json.MarshalIndent(b, "", "  ")
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(b.path), "contexts-*") // 0600 by itself
	if err != nil {
		return err
	}
	_, err = f.Write(append(raw, '\n'))
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), b.path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

// find picks the sign-in of a name, of a server, or the current one.
func (b *book) find(name, server string) (string, saved, bool) {
	if name == "" && server != "" {
		server, _ = cleanServer(server)
		if c, ok := b.Contexts[b.Current]; ok && c.Server == server {
			return b.Current, c, true
		}
		for n, c := range b.Contexts {
			if c.Server == server {
				return n, c, true
			}
		}
		return "", saved{}, false
	}
	if name == "" {
		name = b.Current
	}
	c, ok := b.Contexts[name]
	return name, c, ok
}

// adminScopes are what the commands need; the person's roles decide what they
// come to.
var adminScopes = []string{"openid", "profile", "offline_access", "User.ReadWrite.All", "User.RevokeSessions.All", "Group.ReadWrite.All",
	"GroupMember.ReadWrite.All", "RoleManagement.ReadWrite.Directory", "Application.ReadWrite.All", "Organization.ReadWrite.All",
	"Policy.ReadWrite.AuthenticationMethod", "UserAuthenticationMethod.ReadWrite.All", "UserAuthMethod-Passkey.ReadWrite.All",
	"UserAuthMethod-Passkey.ReadWrite", "AuditLog.Read.All"}

func loginCommand(a *admin) *cobra.Command {
	var o loginFlags
	c := a.verb("login", "Sign in to a server", `  cardea login --server https://id.contoso.com
  cardea login --server https://id.contoso.com --device-code     # the browser is on another machine
  cardea login --server https://id.contoso.com --client-id ID --cert robot.pem`, 0, func(x *call, _ []string) error {
		return login(x, o)
	})
	c.Long = `Sign in to a server. A person signs in with the browser on this machine, or with
--device-code in a browser anywhere: open the address there and type the code. A
robot signs in with the private key of a certificate.

Tokens are saved for their owner only (contexts.json, mode 0600).`
	c.Flags().StringVar(&o.clientID, "client-id", application.CLIAppID, "sign in as this registered application")
	c.Flags().BoolVar(&o.deviceCode, "device-code", false, "show a code to type in a browser on any machine")
	c.Flags().StringVar(&o.cert, "cert", "", "PEM file with certificate and private key: the application of --client-id signs in as itself")
	return c
}

type loginFlags struct {
	clientID, cert string
	deviceCode     bool
}

// login finds the server, gets tokens in one of three ways, and saves them.
func login(x *call, o loginFlags) error {
	book, err := openBook()
	if err != nil {
		return err
	}
	server := x.server
	if server == "" {
		server = os.Getenv("CARDEA_SERVER")
	}
	_, old, known := book.find(x.contextName, server)
	if server == "" {
		if !known {
			return usage{errors.New("which server? Write: cardea login --server https://id.contoso.com")}
		}
		server = old.Server
	}
	if server, err = cleanServer(server); err != nil {
		return err
	}
	if x.ca == "" {
		if x.ca = os.Getenv("CARDEA_CA"); x.ca == "" && known {
			x.ca = old.CA
		}
	}
	ca := x.ca
	if ca != "" {
		if ca, err = filepath.Abs(ca); err != nil {
			return err
		}
	}
	if o.cert != "" {
		if o.deviceCode || o.clientID == application.CLIAppID {
			return usage{errors.New("--cert goes with the --client-id of an application that holds the certificate, and without --device-code")}
		}
		cert, err := filepath.Abs(o.cert)
		if err != nil {
			return err
		}
		return loginRobot(x, book, saved{Server: server, ClientID: o.clientID, CA: ca, Cert: cert})
	}
	base, err := x.transport()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithValue(x.ctx, oauth2.HTTPClient, &http.Client{Transport: base, Timeout: x.timeout}), 15*time.Minute)
	defer cancel()
	config := oauth2.Config{ClientID: o.clientID, Endpoint: endpoints(server), Scopes: adminScopes}
	way := withBrowser
	if o.deviceCode {
		way = withCode
	}
	token, err := way(ctx, x, &config)
	if err != nil {
		if re, ok := errors.AsType[*oauth2.RetrieveError](err); ok {
			return fmt.Errorf("the server gave no token: %s", re.ErrorDescription)
		}
		return err
	}
	x.client = &client{server: server, http: oauth2.NewClient(ctx, oauth2.StaticTokenSource(token))}
	me, err := x.get("/v1.0/me")
	if err != nil {
		return err
	}
	_, err = book.add(x.contextName, saved{Server: server, ClientID: o.clientID, CA: ca, User: text(me, "userPrincipalName"), Access: token.AccessToken, Refresh: token.RefreshToken, Expires: token.Expiry})
	if err != nil {
		return err
	}
	x.say("Signed in to %s as %s. The tokens are in %s, readable by you only.   Next: cardea whoami", server, text(me, "userPrincipalName"), book.path)
	return nil
}

// add saves a sign-in and makes it the current one. Without a name it replaces
// the one for the same server, or is named after the host.
func (b *book) add(name string, s saved) (string, error) {
	if name == "" {
		if known, _, ok := b.find("", s.Server); ok {
			name = known
		} else {
			name = strings.TrimPrefix(strings.TrimPrefix(s.Server, "https://"), "http://")
		}
	}
	b.Current = name
	b.Contexts[name] = s
	return name, b.save()
}

// withBrowser runs the authorization code flow with PKCE. The browser comes back
// to a port of this machine that listens only as long as this takes.
func withBrowser(ctx context.Context, x *call, config *oauth2.Config) (*oauth2.Token, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	defer listener.Close()
	config.RedirectURL = fmt.Sprintf("http://localhost:%d", listener.Addr().(*net.TCPAddr).Port)
	state, verifier := rand.Text(), oauth2.GenerateVerifier()
	x.say("Open this address in a browser on this machine (is there none? cardea login --device-code):\n\n%s\n\nWaiting for the sign-in (15 minutes) …",
		config.AuthCodeURL(state, oauth2.S256ChallengeOption(verifier)))
	code, err := waitForCode(ctx, listener, state)
	if err != nil {
		return nil, err
	}
	return config.Exchange(ctx, code, oauth2.VerifierOption(verifier))
}

// withCode runs the device authorization flow (RFC 8628): the person types a
// code in a browser anywhere. The code is data, not a remark: --quiet shows it
// too.
func withCode(ctx context.Context, x *call, config *oauth2.Config) (*oauth2.Token, error) {
	d, err := config.DeviceAuth(ctx)
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(x.err, "Open  %s  and enter  %s      (%d minutes; only if you started this yourself)\n", plain(d.VerificationURI), plain(d.UserCode), int(time.Until(d.Expiry).Round(time.Minute).Minutes()))
	return config.DeviceAccessToken(ctx, d)
}

// waitForCode answers the browser's return and takes the code out of it.
func waitForCode(ctx context.Context, l net.Listener, state string) (string, error) {
	type result struct {
		code string
		err  error
	}
	done := make(chan result, 1)
	s := &http.Server{ReadHeaderTimeout: 10 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		if r.URL.Path != "/" || q.Get("state") != state { // a favicon, or somebody else
			http.NotFound(w, r)
			return
		}
		res := result{code: q.Get("code")}
		message := "You are signed in. Close this window and go back to the terminal."
		if res.code == "" {
			res.err = fmt.Errorf("the sign-in was refused: %s", q.Get("error_description"))
			message = "The sign-in was refused. The terminal says why."
		}
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		fmt.Fprintln(w, message)
		select {
		case done <- res:
		default:
		}
	})}
	go s.Serve(l)
	defer func() {
		shut, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if s.Shutdown(shut) != nil {
			s.Close()
		}
	}()
	select {
	case r := <-done:
		return r.code, r.err
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

func logoutCommand(a *admin) *cobra.Command {
	return a.verb("logout", "Forget the saved sign-in", "", 0, func(x *call, _ []string) error {
		b, err := openBook()
		if err != nil {
			return err
		}
		name, c, ok := b.find(x.contextName, x.server)
		if !ok {
			x.say("Nobody is signed in.")
			return nil
		}
		c.Access, c.Refresh, c.Expires, c.Cert = "", "", time.Time{}, ""
		b.Contexts[name] = c
		if err := b.save(); err != nil {
			return err
		}
		x.say("The tokens for %s are deleted here. To end them everywhere: cardea user revoke-sessions %s", c.Server, c.User)
		return nil
	})
}

func whoamiCommand(a *admin) *cobra.Command {
	return a.verb("whoami", "Who is signed in, and with which roles", "", 0, func(x *call, _ []string) error {
		c, err := x.connect()
		if err != nil {
			return err
		}
		if c.robot != "" {
			org, err := x.list("/v1.0/organization")
			if err != nil {
				return err
			}
			return x.printOne(map[string]any{"server": c.server, "application": c.robot, "organization": text(org[0], "displayName")},
				column{"SERVER", "server"}, column{"APPLICATION", "application"}, column{"ORGANISATION", "organization"})
		}
		me, err := x.get("/v1.0/me?$select=id,displayName,userPrincipalName")
		if err != nil {
			return err
		}
		roles, err := x.list("/v1.0/me/transitiveMemberOf/microsoft.graph.directoryRole")
		if err != nil {
			return err
		}
		names := []any{}
		for _, r := range roles {
			names = append(names, text(r, "displayName"))
		}
		me["server"], me["roles"] = x.client.server, names
		return x.printOne(me, column{"USER", "userPrincipalName"}, column{"NAME", "displayName"}, column{"ROLES", "roles"}, column{"SERVER", "server"})
	})
}

func contextCommand(a *admin) *cobra.Command {
	list := a.verb("list", "All saved sign-ins", "", 0, func(x *call, _ []string) error {
		b, err := openBook()
		if err != nil {
			return err
		}
		rows := []map[string]any{}
		for n, c := range b.Contexts {
			rows = append(rows, map[string]any{"name": n, "server": c.Server, "user": c.User, "current": n == b.Current, "signedIn": c.Refresh+c.Access+c.Cert != ""})
		}
		slices.SortFunc(rows, func(p, q map[string]any) int { return strings.Compare(text(p, "name"), text(q, "name")) })
		return x.print(rows, column{"NAME", "name"}, column{"SERVER", "server"}, column{"USER", "user"}, column{"CURRENT", "current"}, column{"SIGNED IN", "signedIn"})
	})
	change := func(use, short string, f func(b *book, name string)) *cobra.Command {
		return a.verb(use+" NAME", short, "", 1, func(x *call, args []string) error {
			b, err := openBook()
			if err != nil {
				return err
			}
			if _, ok := b.Contexts[args[0]]; !ok {
				return usage{fmt.Errorf("there is no saved sign-in %q; see cardea context list", args[0])}
			}
			f(b, args[0])
			return b.save()
		})
	}
	return noun("context", "Saved sign-ins: one per server and person", list,
		change("use", "Make a sign-in the current one", func(b *book, name string) { b.Current = name }),
		change("remove", "Forget a server", func(b *book, name string) {
			delete(b.Contexts, name)
			if b.Current == name {
				b.Current = ""
			}
		}))
}
