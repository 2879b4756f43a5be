package main

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"cardea/internal/softkey"
)

// keyfileCommand reads what provision --authenticator software wrote.
func keyfileCommand(a *admin) *cobra.Command {
	var file string
	each := func(x *call, path string, f func(k softkey.Key, id string) error) error {
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) { // opening would make it
			return err
		}
		passphrase, err := x.passphrase(file, false)
		if err != nil {
			return err
		}
		// Not bulk.OpenLines: a file that is read only must do.
		raw, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return softkey.ReadFile(raw, passphrase, func(k softkey.Key) error {
			return f(k, base64.RawURLEncoding.EncodeToString(k.ID))
		})
	}
	list := a.verb("list FILE", "The passkeys in a key file, without their private keys", "  cardea passkey keyfile list out.keys", 1, func(x *call, args []string) error {
		rows := []map[string]any{}
		err := each(x, args[0], func(k softkey.Key, id string) error {
			rows = append(rows, map[string]any{"user": k.UserName, "userId": k.UserID, "label": k.Label, "rpId": k.RPID, "made": k.Made, "credentialId": id})
			return nil
		})
		if err != nil {
			return err
		}
		return x.print(rows, column{"USER", "user"}, column{"LABEL", "label"}, column{"SITE", "rpId"}, column{"MADE", "made"}, column{"CREDENTIAL", "credentialId"})
	})
	var user, credential string
	export := a.verb("export FILE", "Print private keys in clear, one line of JSON each, as WebDriver's virtual authenticators take them", "  cardea passkey keyfile export out.keys --user kiosk-1@contoso.com", 1, func(x *call, args []string) error {
		if user == "" && credential == "" {
			return usage{errors.New("say which: --user, or --credential with an id of keyfile list")}
		}
		n := 0
		err := each(x, args[0], func(k softkey.Key, id string) error {
			if user != "" && user != k.UserName && user != k.UserID || credential != "" && credential != id {
				return nil
			}
			n++
			return writeJSON(x.out, k.WebDriver(), "")
		})
		if err != nil {
			return err
		}
		if n == 0 {
			return fmt.Errorf("%s has no such key", args[0])
		}
		x.say("%d private keys were printed in clear. Whoever has one signs in with it.", n)
		return nil
	})
	export.Flags().StringVar(&user, "user", "", "the keys of this person: user name or object id")
	export.Flags().StringVar(&credential, "credential", "", "the key with this credential id")
	for _, c := range []*cobra.Command{list, export} {
		c.Flags().StringVar(&file, "passphrase-file", "", "file with the passphrase (or CARDEA_KEYFILE_PASSPHRASE, or the terminal)")
	}
	return noun("keyfile", "Files with software passkeys", list, export)
}
