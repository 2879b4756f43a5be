-- A password that somebody else set for a person can be good for one thing
-- only: to choose another (forceChangePasswordNextSignIn).
ALTER TABLE passwords ADD COLUMN must_change BOOLEAN NOT NULL DEFAULT FALSE;
