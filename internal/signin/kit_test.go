package signin_test

import (
	"cardea/internal/cardeatest"
	"cardea/internal/cardeatest/house"
	"cardea/internal/session"
)

// flow is the sealed request of an application, as authorize makes it.
func flow(h *house.House, app string) string {
	return session.SealFlow(h.Ring, session.Flow{At: h.Now(), AppID: "6f3c9a52-0000-4000-8000-000000000001", AppName: app, RedirectURI: "https://payroll.example/cb", MaxAge: -1})
}

func mustSession(h *house.House, b *cardeatest.Browser) session.Session {
	h.Helper()
	s, ok := h.Session(b)
	if !ok {
		h.Fatal("nobody is signed in")
	}
	return s
}
