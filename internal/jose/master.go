package jose

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"cardea/internal/problem"
)

// Master is the key that wraps all others. It lives in a file beside the
// database, never in it: a stolen backup of the database opens nothing.
type Master struct {
	id   [masterIDLen]byte
	aead cipher.AEAD // with random nonces
}

const (
	masterLen    = 32
	masterIDLen  = 8
	maxMasterLen = 4096 // bytes of the file; what is longer is another file
)

// LoadMaster reads the master key from path. If there is no such file it makes
// one: 32 random bytes in base64 on one line, readable by its owner only. Two
// processes that start together end up with the same key.
//
// It refuses a file that others may read (masterKeyReadable) and one that does
// not hold 32 bytes (masterKeyBroken).
func LoadMaster(path string) (Master, error) {
	m, err := readMaster(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return m, err
	}
	if err := createMaster(path); err != nil && !errors.Is(err, fs.ErrExist) {
		return Master{}, fmt.Errorf("master key: %w", err)
	}
	return readMaster(path)
}

// NewMaster builds the master key from its 32 bytes.
func NewMaster(key []byte) (Master, error) {
	if len(key) != masterLen {
		return Master{}, problem.New(problem.Invalid, "masterKeyBroken", "The master key has %d bytes and needs %d. Restore it from your backup.", len(key), masterLen)
	}
	aead, err := newAEAD(key)
	if err != nil {
		return Master{}, err
	}
	m := Master{aead: aead}
	sum := sha256.Sum256(append([]byte("cardea master key id\x00"), key...))
	copy(m.id[:], sum[:])
	return m, nil
}

func readMaster(path string) (Master, error) {
	info, err := os.Stat(path)
	if err != nil {
		return Master{}, fmt.Errorf("master key: %w", err)
	}
	if !info.Mode().IsRegular() || info.Size() > maxMasterLen {
		return Master{}, problem.New(problem.Invalid, "masterKeyBroken", "%s is not a master key file. Point the setting to the file that Cardea made.", path)
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		return Master{}, problem.New(problem.Invalid, "masterKeyReadable",
			"Other users of this machine may read the master key %s (mode %04o). Run `chmod 600` on it, and rotate the keys if it may have been read.", path, info.Mode().Perm())
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return Master{}, fmt.Errorf("master key: %w", err)
	}
	key, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(text)))
	if err != nil {
		return Master{}, problem.New(problem.Invalid, "masterKeyBroken", "%s does not hold base64. Restore it from your backup.", path).Because(err)
	}
	return NewMaster(key)
}

// createMaster writes a whole file under another name and links it into place,
// so that nobody ever reads half a key and nobody overwrites an existing one.
func createMaster(path string) (err error) {
	var key [masterLen]byte
	rand.Read(key[:])
	f, err := os.CreateTemp(filepath.Dir(path), ".master-*") // mode 0600
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.Remove(f.Name())) }()
	_, err = f.WriteString(base64.StdEncoding.EncodeToString(key[:]) + "\n")
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err = os.Link(f.Name(), path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path)) // the name must survive power loss as well
}

func syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// wrap encrypts data that stays in the database for purpose.
func (m Master) wrap(purpose string, data []byte) []byte {
	out := append([]byte{formatVersion}, m.id[:]...)
	return m.aead.Seal(out, nil, data, []byte(purpose))
}

// unwrap reverses wrap. masterKeyOther says that another master key wrapped it.
func (m Master) unwrap(purpose string, wrapped []byte) ([]byte, error) {
	if len(wrapped) < 1+masterIDLen || wrapped[0] != formatVersion {
		return nil, errBroken
	}
	if string(wrapped[1:1+masterIDLen]) != string(m.id[:]) {
		return nil, problem.New(problem.Internal, "masterKeyOther", "This database belongs to another master key. Restore the master key file that goes with it.")
	}
	data, err := m.aead.Open(nil, nil, wrapped[1+masterIDLen:], []byte(purpose))
	if err != nil {
		return nil, errBroken
	}
	return data, nil
}

// newAEAD returns AES-256-GCM that puts a random nonce before what it seals.
func newAEAD(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}
