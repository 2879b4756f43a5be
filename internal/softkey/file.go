package softkey

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"

	"golang.org/x/crypto/argon2"
)

// A key file is lines of text. The first is a header in JSON: how the
// passphrase becomes a key (argon2id), and the key of the file, sealed with
// it. Every other line is base64 of one sealed passkey: 12 bytes of nonce,
// then AES-256-GCM of its JSON. The additional data of record n (from 0) are
// the SHA-256 of the header and n as eight bytes, big-endian: a line that is
// moved, or taken from another file, does not open. docs/provisioning.md
// describes it for other programs.

// FileFormat is the first member of the header.
const FileFormat = "cardea-keyfile/1"

// Cost is how expensive a guess of the passphrase is.
type Cost struct {
	Time    uint32 `json:"time"`
	Memory  uint32 `json:"memoryKiB"`
	Threads uint8  `json:"threads"`
}

// UsualCost is the second recommendation of RFC 9106 §4: 64 MiB.
func UsualCost() Cost { return Cost{Time: 3, Memory: 64 << 10, Threads: 4} }

// bearable: a header is not to be believed when it asks for more than this.
func (c Cost) bearable() bool {
	return c.Time >= 1 && c.Time <= 16 && c.Memory >= 8 && c.Memory <= 1<<20 && c.Threads >= 1 && c.Threads <= 16
}

type header struct {
	Format string `json:"format"`
	KDF    string `json:"kdf"`
	Cost
	Salt []byte `json:"salt"`
	Key  []byte `json:"key"`
}

// Key file errors.
var (
	ErrFile       = errors.New("this is no key file of Cardea")
	ErrPassphrase = errors.New("the passphrase is wrong")
	ErrRecord     = errors.New("a record of the key file was changed, moved or cut")
)

// File seals and opens the records of one key file. It does no I/O.
type File struct {
	seal  cipher.AEAD
	bound [sha256.Size]byte
}

// NewFile makes the header line of a new file and what seals its records.
func NewFile(passphrase []byte, cost Cost) (*File, []byte, error) {
	h := header{Format: FileFormat, KDF: "argon2id", Cost: cost, Salt: make([]byte, 16)}
	key := make([]byte, 32)
	rand.Read(h.Salt)
	rand.Read(key)
	wrap, err := aead(h.derive(passphrase))
	if err != nil {
		return nil, nil, err
	}
	h.Key = sealed(wrap, key, []byte(FileFormat))
	line, err := json.Marshal(h)
	if err != nil {
		return nil, nil, err
	}
	f, err := newFile(key, line)
	return f, line, err
}

// OpenFile reads a header line. Errors: ErrFile, ErrPassphrase.
func OpenFile(line, passphrase []byte) (*File, error) {
	var h header
	if err := json.Unmarshal(line, &h); err != nil || h.Format != FileFormat || h.KDF != "argon2id" || !h.bearable() || len(h.Salt) < 8 {
		return nil, ErrFile
	}
	wrap, err := aead(h.derive(passphrase))
	if err != nil {
		return nil, err
	}
	key, err := opened(wrap, h.Key, []byte(FileFormat))
	if err != nil || len(key) != 32 {
		return nil, ErrPassphrase
	}
	return newFile(key, line)
}

func newFile(key, line []byte) (*File, error) {
	seal, err := aead(key)
	return &File{seal, sha256.Sum256(line)}, err
}

func (h header) derive(passphrase []byte) []byte {
	return argon2.IDKey(passphrase, h.Salt, h.Time, h.Memory, h.Threads, 32)
}

func aead(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

func sealed(a cipher.AEAD, plain, bound []byte) []byte {
	nonce := make([]byte, a.NonceSize())
	rand.Read(nonce)
	return a.Seal(nonce, nonce, plain, bound)
}

func opened(a cipher.AEAD, box, bound []byte) ([]byte, error) {
	if len(box) < a.NonceSize() {
		return nil, ErrRecord
	}
	return a.Open(nil, box[:a.NonceSize()], box[a.NonceSize():], bound)
}

func (f *File) to(n int) []byte {
	return binary.BigEndian.AppendUint64(f.bound[:len(f.bound):len(f.bound)], uint64(n))
}

// Seal makes the line of record n.
func (f *File) Seal(n int, k Key) ([]byte, error) {
	plain, err := json.Marshal(k)
	if err != nil {
		return nil, err
	}
	return base64.StdEncoding.AppendEncode(nil, sealed(f.seal, plain, f.to(n))), nil
}

// Open reads the line of record n. Error: ErrRecord.
func (f *File) Open(n int, line []byte) (Key, error) {
	box, err := base64.StdEncoding.Strict().AppendDecode(nil, line)
	if err != nil {
		return Key{}, ErrRecord
	}
	plain, err := opened(f.seal, box, f.to(n))
	if err != nil {
		return Key{}, ErrRecord
	}
	var k Key
	if err := json.Unmarshal(plain, &k); err != nil {
		return Key{}, ErrRecord
	}
	return k, nil
}

// ReadFile opens the whole text of a key file, key by key. A last line without
// its line feed was never finished and is left out. Errors: ErrFile,
// ErrPassphrase, ErrRecord, and those of each.
func ReadFile(text, passphrase []byte, each func(Key) error) error {
	head, rest, ok := bytes.Cut(text, []byte("\n"))
	if !ok {
		return ErrFile
	}
	f, err := OpenFile(head, passphrase)
	if err != nil {
		return err
	}
	for n := 0; ; n++ {
		line, more, ok := bytes.Cut(rest, []byte("\n"))
		if !ok {
			return nil
		}
		k, err := f.Open(n, line)
		if err != nil {
			return err
		}
		if err := each(k); err != nil {
			return err
		}
		rest = more
	}
}
