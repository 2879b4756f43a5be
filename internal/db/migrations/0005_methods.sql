-- passkeys that were prepared for somebody who has yet to activate them
ALTER TABLE passkeys ADD COLUMN disabled BOOLEAN NOT NULL DEFAULT FALSE;
