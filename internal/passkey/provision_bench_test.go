package passkey_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"cardea/internal/audit"
	"cardea/internal/db"
	"cardea/internal/directory"
	"cardea/internal/passkey"
)

// provisioning is a house with people to whom keys are handed out: the profile
// enforces attestation, and the metadata knows the model.
func provisioning(b *testing.B, people int) (*house, []directory.User) {
	h := benchHouse(b)
	h.metadata(1, h.entry(modelX, "Key X"))
	group := h.group("Everybody")
	users := make([]directory.User, people)
	for from := 0; from < people; from += 500 {
		h.write(func(q db.Querier) error {
			for i := from; i < min(from+500, people); i++ {
				u, err := directory.CreateUser(h.Context(), q, audit.System("test"), h.at, directory.User{UserPrincipalName: fmt.Sprint("u", i, "@example.com"), DisplayName: fmt.Sprint("Person ", i), AccountEnabled: true})
				if err != nil {
					return err
				}
				users[i] = u
				if err := directory.AddMember(h.Context(), q, audit.System("test"), h.at, directory.Membership{GroupID: group, MemberID: u.ID}); err != nil {
					return err
				}
			}
			return nil
		})
	}
	h.patch(profiles(strict))
	return h, users
}

// verification is how long one P-256 verification takes here and now.
func verification(b *testing.B) time.Duration {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	sum := sha256.Sum256([]byte("a measure"))
	sig, err := ecdsa.SignASN1(rand.Reader, key, sum[:])
	if err != nil {
		b.Fatal(err)
	}
	const n = 2000
	start := time.Now()
	for range n {
		if !ecdsa.VerifyASN1(&key.PublicKey, sum[:], sig) {
			b.Fatal("not verified")
		}
	}
	return time.Since(start) / n
}

// BenchmarkProvision is the server's work for one key on behalf of somebody:
// the options, and the registration with a packed attestation that leads to the
// metadata. Many at once, as bulk provisioning does. The last column is the cost
// in P-256 verifications on the same machine in the same run.
func BenchmarkProvision(b *testing.B) {
	h, users := provisioning(b, b.N)
	p256 := verification(b)
	key := h.key(modelX)
	var next atomic.Int64
	b.SetParallelism(16)
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		key := key.Clone() // an authenticator looks through all it holds
		for pb.Next() {
			r := h.provision(users[next.Add(1)-1])
			begun, err := h.k.BeginRegistration(h.Context(), r)
			if err != nil {
				b.Error(err)
				return
			}
			credential, err := key.Create(begun.Options, origin)
			if err != nil {
				b.Error(err)
				return
			}
			answer, err := passkey.ReadAnswer(credential, "")
			if err != nil {
				b.Error(err)
				return
			}
			if _, err := h.k.FinishRegistration(h.Context(), r, answer); err != nil {
				b.Error(err)
				return
			}
		}
	})
	each := float64(b.Elapsed().Nanoseconds()) / float64(b.N)
	b.ReportMetric(1e9/each, "keys/s")
	b.ReportMetric(each/float64(p256.Nanoseconds()), "p256/key")
}

// BenchmarkProvisionOptions and BenchmarkProvisionRegister are the two halves,
// without the authenticator.
func BenchmarkProvisionOptions(b *testing.B) {
	h, users := provisioning(b, b.N)
	var next atomic.Int64
	b.SetParallelism(16)
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := h.k.BeginRegistration(h.Context(), h.provision(users[next.Add(1)-1])); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

func BenchmarkProvisionRegister(b *testing.B) {
	h, users := provisioning(b, b.N)
	p256 := verification(b)
	key := h.key(modelX)
	answers := make([]passkey.Answer, b.N)
	for i := range answers {
		begun, err := h.k.BeginRegistration(h.Context(), h.provision(users[i]))
		h.must(err)
		credential, err := key.Create(begun.Options, origin)
		h.must(err)
		answers[i], err = passkey.ReadAnswer(credential, "")
		h.must(err)
	}
	var next atomic.Int64
	b.SetParallelism(16)
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			i := next.Add(1) - 1
			if _, err := h.k.FinishRegistration(h.Context(), h.provision(users[i]), answers[i]); err != nil {
				b.Error(err)
				return
			}
		}
	})
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(p256.Nanoseconds()), "p256/key")
}
