package page

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"
)

// StaticPath is where assets are served: StaticPath + name + hash + extension.
const StaticPath = "/static/"

// asset is one file as it is sent.
type asset struct {
	path        string // with the hash of its content
	contentType string
	plain, gzip []byte // gzip is nil if it is not smaller
}

// newAsset hashes and compresses a file once.
func newAsset(name, contentType string, content []byte) asset {
	sum := sha256.Sum256(content)
	stem, ext, _ := strings.Cut(name, ".")
	a := asset{path: StaticPath + stem + "." + base64.RawURLEncoding.EncodeToString(sum[:9]) + "." + ext, contentType: contentType, plain: content}
	var buf bytes.Buffer
	z, _ := gzip.NewWriterLevel(&buf, gzip.BestCompression) // the level is a valid constant
	z.Write(content)
	z.Close()
	if buf.Len() < len(content) {
		a.gzip = buf.Bytes()
	}
	return a
}

// slim drops comment lines and indentation. Our own files hold no text that
// runs over several lines, so nothing that is shown can be lost.
func slim(src string) string {
	var out strings.Builder
	for line := range strings.Lines(src) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "//") || strings.HasPrefix(line, "/*") && strings.HasSuffix(line, "*/") {
			continue
		}
		out.WriteString(line)
		out.WriteByte('\n')
	}
	return out.String()
}

// Static serves the assets below StaticPath.
//
// A name with another hash is answered with today's file, uncached: a page that
// another node or an older release rendered still finds its style (R15).
func (s *Renderer) Static() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		guard(h, newID())
		// An SVG opened by itself is a document: it may run nothing either.
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; sandbox; frame-ancestors 'none'")
		stem, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, StaticPath), ".")
		a, ok := s.look.Load().assets[stem]
		if !ok || (r.Method != http.MethodGet && r.Method != http.MethodHead) {
			http.NotFound(w, r)
			return
		}
		if r.URL.Path == a.path {
			h.Set("Cache-Control", "public, max-age=31536000, immutable")
		} else {
			h.Set("Cache-Control", "no-cache")
		}
		h.Set("Content-Type", a.contentType)
		body := a.plain
		if a.gzip != nil {
			h.Set("Vary", "Accept-Encoding")
			if acceptsGzip(r.Header.Get("Accept-Encoding")) {
				h.Set("Content-Encoding", "gzip")
				body = a.gzip
			}
		}
		h.Set("Content-Length", strconv.Itoa(len(body)))
		if r.Method == http.MethodGet {
			w.Write(body)
		}
	})
}

// acceptsGzip reads Accept-Encoding: gzip is named and not refused by q=0.
func acceptsGzip(header string) bool {
	for part := range strings.SplitSeq(header, ",") {
		name, q, _ := strings.Cut(strings.ReplaceAll(part, " ", ""), ";q=")
		if strings.EqualFold(name, "gzip") {
			return strings.Trim(q, "0.") != "" || q == ""
		}
	}
	return false
}
