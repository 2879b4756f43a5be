package console

import (
	"context"
	"net/http"
	"net/url"

	"cardea/internal/directory"
	"cardea/internal/mds"
	"cardea/internal/page"
	"cardea/internal/problem"
	"cardea/internal/session"
)

// admit finds who asks: an administrator with a strong sign-in, or an error.
func (e *Edge) admit(r *http.Request) (session.Session, directory.User, []string, error) {
	s, err := e.Session(r)
	if err == nil {
		err = session.Multifactor(s)
	}
	if err != nil {
		return s, directory.User{}, nil, err
	}
	u, roles, err := directory.Administrator(r.Context(), e.DB, s.UserID)
	return s, u, roles, err
}

// frame is a page without content: the script of section fills it.
func (e *Edge) frame(section string) page.Handler {
	return func(r *http.Request) (page.Answer, error) {
		_, u, roles, err := e.admit(r)
		if problem.KindOf(err) == problem.Unauthenticated {
			return page.Redirect303("/signin?next=" + url.QueryEscape(r.URL.RequestURI())), nil
		}
		if err != nil {
			return page.Answer{}, err
		}
		v := page.Console{Section: section, Person: u.DisplayName, UserID: u.ID, Roles: roles}
		if err := e.embed(r.Context(), &v); err != nil {
			return page.Answer{}, err
		}
		return page.HTML(v), nil
	}
}

// embed adds what names things and is no resource of the API: names of
// providers, and the state of the FIDO metadata.
func (e *Edge) embed(ctx context.Context, v *page.Console) error {
	if err := e.Keeper.Metadata.Refresh(ctx); err != nil {
		return err
	}
	st := e.Keeper.Metadata.Status()
	v.Metadata = page.ConsoleMetadata{Number: st.Number, Entries: st.Entries, NextUpdate: st.NextUpdate, Damaged: len(st.Damaged) > 0}
	if st.LastError != nil {
		v.Metadata.Failed = st.LastError.Text
	}
	if v.Section == "passkey" || v.Section == "user" {
		v.Providers = e.providers()
	}
	return nil
}

// providers lists who makes passkeys, by name: our own table first, then what
// administrators uploaded and the models of the FIDO metadata.
func (e *Edge) providers() []page.Provider {
	var out []page.Provider
	seen := map[string]bool{}
	add := func(p page.Provider) {
		fresh := p.AAGUIDs[:0]
		for _, id := range p.AAGUIDs {
			if !seen[id] {
				seen[id], fresh = true, append(fresh, id)
			}
		}
		if p.AAGUIDs = fresh; len(fresh) > 0 && p.Name != "" {
			out = append(out, p)
		}
	}
	for _, p := range mds.Providers() {
		row := page.Provider{Name: p.Name, Type: string(p.Sync)}
		for _, m := range p.Members {
			row.AAGUIDs = append(row.AAGUIDs, mds.FormatAAGUID(m.AAGUID))
		}
		add(row)
	}
	for _, u := range e.Keeper.Metadata.Uploads() {
		row := page.Provider{Name: u.Name, Model: true}
		for _, a := range u.AAGUIDs {
			row.AAGUIDs = append(row.AAGUIDs, mds.FormatAAGUID(a))
		}
		add(row)
	}
	for _, m := range e.Keeper.Metadata.Entries() {
		if id := m.AAGUID; id != (mds.AAGUID{}) {
			add(page.Provider{Name: m.Description, AAGUIDs: []string{mds.FormatAAGUID(id)}, Model: true})
		}
	}
	return out
}

// unknown is any other address below /admin.
func (e *Edge) unknown(*http.Request) (page.Answer, error) {
	return page.Answer{}, problem.New(problem.NotFound, "notFound", "There is no such page. Go to the start and try again from there.")
}
