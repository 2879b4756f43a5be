package mds

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"cardea/internal/problem"
)

// Addresses of the FIDO Alliance. Fetching is off until an administrator has
// accepted its terms (WA-65); whoever calls Fetch or Run sees to that.
const (
	DefaultURL     = "https://mds3.fidoalliance.org/"
	ConvenienceURL = "https://c-mds.fidoalliance.org/"
	TermsURL       = "https://fidoalliance.org/metadata/metadata-legal-terms/"
)

const (
	fetchTime  = 60 * time.Second // for a whole download (WA-60)
	listTime   = 10 * time.Second // for all revocation lists together (WA-54)
	maxList    = 16 << 20
	redirects  = 3
	maxETag    = 512
	maxAddress = 2048
)

// CodeUnavailable is for metadata that could not be fetched.
const CodeUnavailable = "metadataUnavailable"

// Fetcher fetches metadata and checks it. Its fields are set once, before use.
type Fetcher struct {
	Client   *http.Client        // nil: NewClient(nil). Its redirect policy is replaced
	URL      string              // "": DefaultURL. https only
	Roots    []*x509.Certificate // that a BLOB may chain to; none means that nothing is accepted
	Interval time.Duration       // between refreshes; 0: 24 hours
	Now      func() time.Time    // required

	// After and Jitter are for tests; nil: time.After and a random part.
	After  func(time.Duration) <-chan time.Time
	Jitter func(time.Duration) time.Duration
}

// Result is what one fetch or upload brought.
type Result struct {
	Metadata  *Metadata // nil only if the server said that nothing changed
	ETag      string    // to hand in next time; "" if the server gave none
	Unchanged bool      // same number as before: no event (WA-55), and nothing to store unless the stored copy cannot be read
	Warnings  []Warning
}

// NewClient builds the client that metadata is fetched with. proxy is the
// configured one; nil takes that of the environment. The system's roots are
// used for TLS here and for nothing else: what a BLOB is worth depends on its
// own signature.
func NewClient(proxy *url.URL) *http.Client {
	choose := http.ProxyFromEnvironment
	if proxy != nil {
		choose = http.ProxyURL(proxy)
	}
	return &http.Client{Transport: &http.Transport{
		Proxy:                 choose,
		TLSClientConfig:       &tls.Config{MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:   10 * time.Second,
		ResponseHeaderTimeout: 30 * time.Second,
		IdleConnTimeout:       30 * time.Second,
		MaxIdleConns:          4,
		ForceAttemptHTTP2:     true,
	}}
}

// Fetch gets the BLOB once and checks it. etag is that of the stored copy ("":
// none), last its number (0: none). Errors are those of Accept and
// metadataUnavailable; after each of them the stored copy stays in use.
func (f *Fetcher) Fetch(ctx context.Context, etag string, last int64) (Result, error) {
	body, tag, err := f.get(ctx, f.address(), etag, MaxBLOB)
	if err != nil {
		return Result{}, err
	}
	if body == nil {
		return Result{ETag: etag, Unchanged: true}, nil
	}
	r, err := f.Accept(ctx, body, last)
	r.ETag = tag
	return r, err
}

// Accept checks a BLOB, fetched or uploaded (WA-61): Open, revocation, number.
// The network is used for revocation lists only, after chain and signature
// hold; unreachable ones are a warning (WA-54).
func (f *Fetcher) Accept(ctx context.Context, blob []byte, last int64) (Result, error) {
	o, err := Open(blob, f.Roots, f.Now())
	if err != nil {
		return Result{}, err
	}
	unknown, err := CheckRevocation(o.Chain, f.lists(ctx, o.Chain), f.Now())
	if err != nil {
		return Result{}, err
	}
	m, warnings, err := o.Metadata(last)
	if err != nil {
		return Result{}, err
	}
	return Result{Metadata: m, Unchanged: m.Number == last, Warnings: append(unknown, warnings...)}, nil
}

// FetchConvenience gets the names of models from address ("": ConvenienceURL).
// A nil result without error means unchanged since etag.
func (f *Fetcher) FetchConvenience(ctx context.Context, address, etag string) (*Convenience, string, error) {
	if address == "" {
		address = ConvenienceURL
	}
	body, tag, err := f.get(ctx, address, etag, MaxConvenience)
	if err != nil || body == nil {
		return nil, etag, err
	}
	c, err := ParseConvenience(body)
	return c, tag, err
}

func (f *Fetcher) address() string {
	if f.URL == "" {
		return DefaultURL
	}
	return f.URL
}

// client is a copy of the configured client whose redirects stay within schemes.
func (f *Fetcher) client(schemes ...string) *http.Client {
	c := f.Client
	if c == nil {
		c = NewClient(nil)
	}
	own := *c
	own.Jar = nil
	own.CheckRedirect = func(r *http.Request, via []*http.Request) error {
		if len(via) > redirects {
			return errors.New("too many redirects")
		}
		return allowed(r.URL, schemes)
	}
	return &own
}

func allowed(u *url.URL, schemes []string) error {
	for _, s := range schemes {
		if u.Scheme == s && u.Host != "" && u.User == nil {
			return nil
		}
	}
	return fmt.Errorf("the address is not a plain %s address", schemes[0])
}

// get downloads at most limit bytes over HTTPS within fetchTime. A nil body
// without error means not modified.
func (f *Fetcher) get(ctx context.Context, address, etag string, limit int64) (body []byte, tag string, err error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTime)
	defer cancel()
	u, err := url.Parse(address)
	if err == nil {
		err = allowed(u, []string{"https"})
	}
	if err != nil {
		return nil, "", problem.New(problem.Invalid, CodeUnavailable,
			"The address of the metadata service is not a plain https address. Correct the setting.").Because(err)
	}
	body, tag, err = download(ctx, f.client("https"), u.String(), etag, limit)
	if err != nil {
		return nil, "", problem.New(problem.Unavailable, CodeUnavailable,
			"The metadata could not be fetched from %s. Check the connection and the proxy setting, or upload the file. The stored copy stays in use.", u.Host).Because(err)
	}
	return body, tag, nil
}

func download(ctx context.Context, client *http.Client, address, etag string, limit int64) ([]byte, string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, "", err
	}
	req.Header.Set("User-Agent", "Cardea")
	if etag != "" {
		req.Header.Set("If-None-Match", etag)
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, "", err
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusNotModified && etag != "" {
		return nil, etag, nil
	}
	if resp.StatusCode != http.StatusOK {
		return nil, "", fmt.Errorf("status %d", resp.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	if err != nil {
		return nil, "", err
	}
	if int64(len(body)) > limit {
		return nil, "", fmt.Errorf("more than %d bytes", limit)
	}
	tag := resp.Header.Get("ETag")
	if len(tag) > maxETag {
		tag = ""
	}
	return body, tag, nil
}

// lists fetches the revocation lists that a chain names. What cannot be had
// within listTime is left out; CheckRevocation then warns.
func (f *Fetcher) lists(ctx context.Context, chain []*x509.Certificate) [][]byte {
	ctx, cancel := context.WithTimeout(ctx, listTime)
	defer cancel()
	// Revocation lists are signed, and authorities publish them over plain http.
	client := f.client("http", "https")
	var out [][]byte
	for _, address := range revocationAddresses(chain) {
		u, err := url.Parse(address)
		if err != nil || len(address) > maxAddress || allowed(u, []string{"http", "https"}) != nil {
			continue
		}
		if der, _, err := download(ctx, client, u.String(), "", maxList); err == nil {
			out = append(out, der)
		}
	}
	return out
}
