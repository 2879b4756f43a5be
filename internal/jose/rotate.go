package jose

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/go-jose/go-jose/v4"

	"cardea/internal/db"
)

const rsaBits = 2048

// Rotation says when the new keys start.
type Rotation struct {
	// Immediately is for keys that may have leaked: it skips LeadTime, and the
	// old signing keys are gone at once, so that no thief signs tokens with them.
	// Every token that is out is void; applications refresh. Relying parties and
	// other nodes that hold the old key set refuse new tokens until they fetch it
	// again. Sealing keys stay for what they sealed.
	Immediately bool
	// Record writes the audit record of the new keys, in the transaction that
	// stores them. It is required.
	Record func(q db.Querier, made []KeyInfo) error
}

// Rotate makes one new key of each kind and retires the ones in use at the
// moment the new ones start. Other nodes follow with their next Reload.
func (r *Ring) Rotate(ctx context.Context, o Rotation, now time.Time) ([]KeyInfo, error) {
	if o.Record == nil {
		return nil, errors.New("jose: a rotation without an audit record")
	}
	active := now.Add(LeadTime)
	if o.Immediately {
		active = now
	}
	made, err := r.generate(now, active)
	if err != nil {
		return nil, err
	}
	infos := infosOf(made)
	err = r.d.Write(ctx, func(q db.Querier) error {
		if err := db.Bump(ctx, q, "keys"); err != nil {
			return err
		}
		// Keys that wait for their start, or retire later, retire now as well.
		if _, err := q.ExecContext(ctx, `UPDATE keys SET retired_at = $1 WHERE retired_at IS NULL OR retired_at > $1`, active.UnixMilli()); err != nil {
			return err
		}
		if o.Immediately {
			if _, err := q.ExecContext(ctx, `DELETE FROM keys WHERE use = 'sig'`); err != nil {
				return err
			}
		}
		if err := insert(ctx, q, made); err != nil {
			return err
		}
		return o.Record(q, infos)
	})
	if err != nil {
		return nil, err
	}
	return infos, r.Reload(ctx, now)
}

// DeleteForgotten deletes keys whose time is over and says how many.
func DeleteForgotten(ctx context.Context, q db.Querier, now time.Time) (int64, error) {
	res, err := q.ExecContext(ctx, `DELETE FROM keys WHERE (use = 'enc' AND retired_at < $1) OR (use = 'sig' AND retired_at < $2)`,
		now.Add(-KeptSealing).UnixMilli(), now.Add(-KeptSigning).UnixMilli())
	if err != nil {
		return 0, err
	}
	n, err := res.RowsAffected()
	if err == nil && n > 0 {
		err = db.Bump(ctx, q, "keys")
	}
	return n, err
}

// first makes the first keys. Nodes that start together agree: Bump locks the
// version row, and whoever comes second finds keys.
func (r *Ring) first(ctx context.Context, now time.Time) error {
	made, err := r.generate(now, now)
	if err != nil {
		return err
	}
	return r.d.Write(ctx, func(q db.Querier) error {
		if err := db.Bump(ctx, q, "keys"); err != nil {
			return err
		}
		var n int
		if err := q.QueryRowContext(ctx, `SELECT count(*) FROM keys`).Scan(&n); err != nil || n > 0 {
			return err
		}
		return insert(ctx, q, made)
	})
}

// fresh is a key on its way to the database.
type fresh struct {
	key
	wrapped []byte
}

func (r *Ring) generate(now, active time.Time) ([]fresh, error) {
	var out []fresh
	for _, kind := range []struct{ use, alg string }{{ForSigning, ES256}, {ForSigning, RS256}, {ForSealing, A256GCM}} {
		var id [keyIDLen]byte
		rand.Read(id[:])
		k := key{KeyInfo: KeyInfo{ID: hex.EncodeToString(id[:]), Use: kind.use, Algorithm: kind.alg,
			CreatedAt: db.Time(now.UnixMilli()), ActiveAt: db.Time(active.UnixMilli())}}
		secret, public, err := k.secret()
		if err != nil {
			return nil, err
		}
		k.public = public
		out = append(out, fresh{k, r.master.wrap(k.purpose(), secret)})
	}
	return out, nil
}

// secret makes the secret of a new key, and its JWK if it signs.
func (k *key) secret() (secret []byte, public string, err error) {
	var signer crypto.Signer
	switch k.Algorithm {
	case ES256:
		signer, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case RS256:
		signer, err = rsa.GenerateKey(rand.Reader, rsaBits)
	default:
		secret = make([]byte, 32)
		rand.Read(secret)
		return secret, "", nil
	}
	if err != nil {
		return nil, "", err
	}
	if secret, err = x509.MarshalPKCS8PrivateKey(signer); err != nil {
		return nil, "", err
	}
	jwk, err := json.Marshal(jose.JSONWebKey{Key: signer.Public(), KeyID: k.ID, Algorithm: k.Algorithm, Use: "sig"})
	return secret, string(jwk), err
}

func parsePrivate(secret []byte, alg string) (crypto.Signer, error) {
	parsed, err := x509.ParsePKCS8PrivateKey(secret)
	if err != nil {
		return nil, err
	}
	switch k := parsed.(type) {
	case *ecdsa.PrivateKey:
		if alg == ES256 && k.Curve == elliptic.P256() {
			return k, nil
		}
	case *rsa.PrivateKey:
		if alg == RS256 {
			return k, nil
		}
	}
	return nil, fmt.Errorf("a key for %s holds a %T", alg, parsed)
}

func insert(ctx context.Context, q db.Querier, made []fresh) error {
	for _, k := range made {
		if _, err := q.ExecContext(ctx, `INSERT INTO keys (id, use, algorithm, wrapped, public, created_at, active_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7)`,
			k.ID, k.Use, k.Algorithm, k.wrapped, k.public, k.CreatedAt.UnixMilli(), k.ActiveAt.UnixMilli()); err != nil {
			return err
		}
	}
	return nil
}

func infosOf(made []fresh) []KeyInfo {
	var out []KeyInfo
	for _, k := range made {
		out = append(out, k.KeyInfo)
	}
	return out
}
