package cardeatest

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
)

// Browser is a browser without script: it keeps cookies, sends what browsers
// send with a request from the page itself, and follows no redirect. Its
// fields may be changed between two requests.
type Browser struct {
	Handler   http.Handler
	Origin    string // of the site, "https://id.contoso.com"
	Address   string // of the browser
	UserAgent string
	From      string            // Origin header of posts; "" is the site's own
	Site      string            // Sec-Fetch-Site; "" is same-origin
	Cookies   map[string]string // by their whole name
}

// NewBrowser returns a browser at the site that h serves.
func NewBrowser(h http.Handler, origin string) *Browser {
	return &Browser{Handler: h, Origin: origin, Address: "192.0.2.7", Cookies: map[string]string{},
		UserAgent: "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0"}
}

// Reply is an answer of the site.
type Reply struct {
	Status int
	Header http.Header
	Body   string
}

// To is where a redirect leads.
func (r Reply) To() string { return r.Header.Get("Location") }

// Read decodes a JSON body into v.
func (r Reply) Read(v any) error { return json.Unmarshal([]byte(r.Body), v) }

// Code is the code of a refusal in JSON, "" if there is none.
func (r Reply) Code() string {
	var e struct {
		Error struct {
			Code string `json:"code"`
		} `json:"error"`
	}
	if r.Read(&e) != nil {
		return ""
	}
	return e.Error.Code
}

// Get opens a page.
func (b *Browser) Get(path string) Reply {
	return b.send(httptest.NewRequest(http.MethodGet, b.Origin+path, nil))
}

// Form posts a form; pairs are names and values.
func (b *Browser) Form(path string, pairs ...string) Reply {
	form := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		form.Add(pairs[i], pairs[i+1])
	}
	return b.post(path, "application/x-www-form-urlencoded", form.Encode())
}

// JSON posts a value as the pages' script does.
func (b *Browser) JSON(path string, v any) Reply {
	body, err := json.Marshal(v)
	if err != nil {
		return Reply{Body: err.Error()}
	}
	return b.post(path, "application/json", string(body))
}

// Post posts anything.
func (b *Browser) Post(path, contentType, body string) Reply { return b.post(path, contentType, body) }

func (b *Browser) post(path, contentType, body string) Reply {
	r := httptest.NewRequest(http.MethodPost, b.Origin+path, strings.NewReader(body))
	r.Header.Set("Content-Type", contentType)
	origin, site := b.From, b.Site
	if origin == "" {
		origin = b.Origin
	}
	if site == "" {
		site = "same-origin"
	}
	r.Header.Set("Origin", origin)
	r.Header.Set("Sec-Fetch-Site", site)
	return b.send(r)
}

func (b *Browser) send(r *http.Request) Reply {
	r.RemoteAddr = b.Address + ":50000"
	r.Header.Set("User-Agent", b.UserAgent)
	if r.Header.Get("Content-Type") != "application/json" {
		r.Header.Set("Accept", "text/html,*/*")
	}
	for name, value := range b.Cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	w := httptest.NewRecorder()
	b.Handler.ServeHTTP(w, r)
	for _, c := range w.Result().Cookies() {
		if c.MaxAge < 0 || c.Value == "" {
			delete(b.Cookies, c.Name)
			continue
		}
		b.Cookies[c.Name] = c.Value
	}
	return Reply{w.Code, w.Header(), w.Body.String()}
}
