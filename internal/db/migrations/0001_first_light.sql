-- Times are Unix milliseconds UTC. JSON text holds nested objects that are never searched. See docs/sql.md.

CREATE TABLE versions ( -- a counter per cached thing: whoever changes it bumps it in the same transaction
	name  TEXT   NOT NULL PRIMARY KEY,
	value BIGINT NOT NULL
);
CREATE TABLE organization ( -- exactly one row: the tenant
	id           TEXT   NOT NULL PRIMARY KEY,
	display_name TEXT   NOT NULL,
	domain       TEXT   NOT NULL,
	color        TEXT   NOT NULL DEFAULT '',
	logo         BYTEA,
	logo_type    TEXT   NOT NULL DEFAULT '',
	help_text    TEXT   NOT NULL DEFAULT '',
	break_glass  TEXT   NOT NULL DEFAULT '', -- id of the group of emergency accounts
	created_at   BIGINT NOT NULL,
	version      BIGINT NOT NULL DEFAULT 1
);

-- directory
CREATE TABLE users (
	id            TEXT    NOT NULL PRIMARY KEY,
	upn           TEXT    NOT NULL,
	upn_key       TEXT    NOT NULL UNIQUE, -- lower case, for lookup
	display_name  TEXT    NOT NULL,
	given_name    TEXT    NOT NULL DEFAULT '',
	surname       TEXT    NOT NULL DEFAULT '',
	mail          TEXT    NOT NULL DEFAULT '',
	department    TEXT    NOT NULL DEFAULT '',
	job_title     TEXT    NOT NULL DEFAULT '',
	user_type     TEXT    NOT NULL DEFAULT 'Member',
	enabled       BOOLEAN NOT NULL DEFAULT TRUE,
	created_at    BIGINT  NOT NULL,
	sessions_from BIGINT  NOT NULL DEFAULT 0, -- sessions and refresh tokens older than this are void
	version       BIGINT  NOT NULL DEFAULT 1
);
CREATE INDEX users_by_name ON users (display_name, id);
CREATE TABLE groups (
	id           TEXT   NOT NULL PRIMARY KEY,
	display_name TEXT   NOT NULL,
	description  TEXT   NOT NULL DEFAULT '',
	created_at   BIGINT NOT NULL,
	version      BIGINT NOT NULL DEFAULT 1
);
CREATE INDEX groups_by_name ON groups (display_name, id);
CREATE TABLE group_members (
	group_id    TEXT NOT NULL REFERENCES groups (id) ON DELETE CASCADE,
	member_id   TEXT NOT NULL,
	member_type TEXT NOT NULL, -- 'user' or 'group'
	PRIMARY KEY (group_id, member_id)
);
CREATE INDEX group_members_by_member ON group_members (member_id, group_id);
CREATE TABLE role_assignments (
	id           TEXT   NOT NULL PRIMARY KEY,
	principal_id TEXT   NOT NULL, -- a user
	role_id      TEXT   NOT NULL, -- Entra's template id
	created_at   BIGINT NOT NULL,
	UNIQUE (principal_id, role_id)
);
CREATE INDEX role_assignments_by_role ON role_assignments (role_id, principal_id);

-- methods
CREATE TABLE method_policies (
	id         TEXT   NOT NULL PRIMARY KEY, -- Fido2, TemporaryAccessPass, SoftwareOath, Password
	document   TEXT   NOT NULL,             -- JSON
	updated_at BIGINT NOT NULL,
	version    BIGINT NOT NULL DEFAULT 1
);
CREATE TABLE passkeys (
	id              TEXT    NOT NULL PRIMARY KEY,
	user_id         TEXT    NOT NULL REFERENCES users (id) ON DELETE CASCADE,
	credential_id   BYTEA   NOT NULL UNIQUE,
	display_name    TEXT    NOT NULL,
	public_key      BYTEA   NOT NULL, -- COSE, as sent
	algorithm       BIGINT  NOT NULL,
	aaguid          TEXT    NOT NULL, -- lower-case GUID
	sign_count      BIGINT  NOT NULL,
	backup_eligible BOOLEAN NOT NULL,
	backup_state    BOOLEAN NOT NULL,
	attested        BOOLEAN NOT NULL,
	transports      TEXT    NOT NULL DEFAULT '', -- comma separated
	attachment      TEXT    NOT NULL DEFAULT '',
	rp_id           TEXT    NOT NULL,
	model           TEXT    NOT NULL DEFAULT '',
	created_at      BIGINT  NOT NULL,
	last_used_at    BIGINT, -- NULL: not used yet
	last_used_on    TEXT    NOT NULL DEFAULT '' -- "Windows, Edge"
);
CREATE INDEX passkeys_by_user ON passkeys (user_id, created_at, id);
CREATE TABLE passkey_attestations ( -- what registration proved, kept so that trust can be judged again (PK-96, WA-42)
	passkey_id         TEXT    NOT NULL PRIMARY KEY REFERENCES passkeys (id) ON DELETE CASCADE,
	format             TEXT    NOT NULL,
	type               TEXT    NOT NULL,
	problem            TEXT    NOT NULL DEFAULT '',
	certificates       TEXT    NOT NULL DEFAULT '[]', -- JSON list of base64 DER, leaf first
	attestation_object BYTEA   NOT NULL,
	client_data        BYTEA   NOT NULL,
	trust              TEXT    NOT NULL DEFAULT '{}', -- JSON of webauthn.Trust
	metadata_no        BIGINT  NOT NULL DEFAULT 0,
	profile_id         TEXT    NOT NULL DEFAULT '' -- the profile that allowed it
);
CREATE TABLE spent_challenges ( -- PK-105
	id         TEXT   NOT NULL PRIMARY KEY, -- begins with the expiry: new rows lie side by side, old ones are a range
	expires_at BIGINT NOT NULL
);
CREATE TABLE passwords (
	user_id    TEXT   NOT NULL PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
	hash       TEXT   NOT NULL, -- argon2id, PHC string
	changed_at BIGINT NOT NULL
);
CREATE TABLE oath_tokens (
	id           TEXT   NOT NULL PRIMARY KEY,
	user_id      TEXT   NOT NULL REFERENCES users (id) ON DELETE CASCADE,
	display_name TEXT   NOT NULL,
	secret       BYTEA  NOT NULL, -- sealed
	last_step    BIGINT NOT NULL DEFAULT 0, -- a code works once
	created_at   BIGINT NOT NULL,
	last_used_at BIGINT
);
CREATE INDEX oath_tokens_by_user ON oath_tokens (user_id);
CREATE TABLE access_passes (
	id         TEXT    NOT NULL PRIMARY KEY,
	user_id    TEXT    NOT NULL UNIQUE REFERENCES users (id) ON DELETE CASCADE, -- PK-147
	code_hash  BYTEA   NOT NULL,
	starts_at  BIGINT  NOT NULL,
	lifetime   BIGINT  NOT NULL, -- minutes
	once       BOOLEAN NOT NULL,
	used_at    BIGINT,
	created_at BIGINT  NOT NULL
);
CREATE TABLE links ( -- one-time links: set-up of the server, enrolment of a person
	id         TEXT   NOT NULL PRIMARY KEY,
	kind       TEXT   NOT NULL, -- 'setup' or 'enrolment'
	user_id    TEXT   NOT NULL DEFAULT '',
	hash       BYTEA  NOT NULL,
	created_at BIGINT NOT NULL,
	expires_at BIGINT NOT NULL,
	used_at    BIGINT
);
CREATE INDEX links_by_user ON links (user_id, kind);
CREATE TABLE attempts ( -- guesses counted per window; the key is a hash of what is guessed and by whom
	key      TEXT   NOT NULL PRIMARY KEY,
	count    BIGINT NOT NULL,
	reset_at BIGINT NOT NULL
);
CREATE INDEX attempts_by_reset ON attempts (reset_at);
CREATE TABLE metadata ( -- FIDO metadata: the last good copy and what administrators uploaded
	id         TEXT   NOT NULL PRIMARY KEY, -- 'blob', or an id per uploaded entry
	number     BIGINT NOT NULL,
	document   BYTEA  NOT NULL, -- encoded by mds, with its integrity mark
	etag       TEXT   NOT NULL DEFAULT '',
	fetched_at BIGINT NOT NULL
);

-- sessions and grants
CREATE TABLE sessions (
	id          TEXT   NOT NULL PRIMARY KEY,
	user_id     TEXT   NOT NULL REFERENCES users (id) ON DELETE CASCADE,
	secret_hash BYTEA  NOT NULL,
	created_at  BIGINT NOT NULL,
	auth_at     BIGINT NOT NULL, -- last interactive proof
	mfa_at      BIGINT NOT NULL, -- last multifactor proof, 0 if none
	expires_at  BIGINT NOT NULL,
	methods     TEXT   NOT NULL, -- comma separated amr values
	passkey_id  TEXT   NOT NULL DEFAULT '', -- the passkey that proved it
	sign_in_id  TEXT   NOT NULL DEFAULT '',
	client      TEXT   NOT NULL DEFAULT '', -- "Windows, Edge"
	ip          TEXT   NOT NULL DEFAULT '',
	revoked_at  BIGINT
);
CREATE INDEX sessions_by_user ON sessions (user_id, created_at);
CREATE TABLE authorization_codes (
	id          TEXT   NOT NULL PRIMARY KEY,
	secret_hash BYTEA  NOT NULL,
	grant_json  TEXT   NOT NULL,
	expires_at  BIGINT NOT NULL,
	used_at     BIGINT,
	family_id   TEXT   NOT NULL DEFAULT '' -- refresh family it gave, revoked if the code comes twice
);
CREATE INDEX authorization_codes_by_expiry ON authorization_codes (expires_at);
CREATE TABLE refresh_families (
	id         TEXT   NOT NULL PRIMARY KEY,
	user_id    TEXT   NOT NULL REFERENCES users (id) ON DELETE CASCADE,
	client_id  TEXT   NOT NULL,
	session_id TEXT   NOT NULL,
	grant_json TEXT   NOT NULL,
	current_id TEXT   NOT NULL, -- the only refresh token of the family that works
	created_at BIGINT NOT NULL,
	expires_at BIGINT NOT NULL,
	revoked_at BIGINT,
	reason     TEXT   NOT NULL DEFAULT ''
);
CREATE INDEX refresh_families_by_user ON refresh_families (user_id);
CREATE INDEX refresh_families_by_session ON refresh_families (session_id);
CREATE INDEX refresh_families_by_expiry ON refresh_families (expires_at);
CREATE TABLE refresh_tokens (
	id          TEXT   NOT NULL PRIMARY KEY,
	family_id   TEXT   NOT NULL REFERENCES refresh_families (id) ON DELETE CASCADE,
	secret_hash BYTEA  NOT NULL,
	created_at  BIGINT NOT NULL,
	used_at     BIGINT
);
CREATE INDEX refresh_tokens_by_family ON refresh_tokens (family_id);

-- applications
CREATE TABLE applications (
	id            TEXT    NOT NULL PRIMARY KEY,
	app_id        TEXT    NOT NULL UNIQUE, -- client id
	display_name  TEXT    NOT NULL,
	public_client BOOLEAN NOT NULL DEFAULT FALSE,
	redirect_uris TEXT    NOT NULL DEFAULT '[]', -- JSON [{"uri","type":"web|spa|public"}]
	logout_uris   TEXT    NOT NULL DEFAULT '[]', -- JSON list: post-logout redirects
	home_url      TEXT    NOT NULL DEFAULT '',
	permissions   TEXT    NOT NULL DEFAULT '[]', -- JSON list: application permissions granted ("all" = every one)
	scopes        TEXT    NOT NULL DEFAULT '[]', -- JSON list: delegated permissions consented ("all" = every one)
	signing_alg   TEXT    NOT NULL DEFAULT '',   -- of id_tokens: '' = the server's default
	assignment    BOOLEAN NOT NULL DEFAULT FALSE, -- only assigned people and groups may sign in
	created_at    BIGINT  NOT NULL,
	version       BIGINT  NOT NULL DEFAULT 1
);
CREATE TABLE application_secrets (
	id             TEXT   NOT NULL PRIMARY KEY,
	application_id TEXT   NOT NULL REFERENCES applications (id) ON DELETE CASCADE,
	display_name   TEXT   NOT NULL DEFAULT '',
	hint           TEXT   NOT NULL,
	hash           BYTEA  NOT NULL,
	created_at     BIGINT NOT NULL,
	expires_at     BIGINT NOT NULL
);
CREATE INDEX application_secrets_by_application ON application_secrets (application_id);
CREATE TABLE application_certificates (
	id             TEXT   NOT NULL PRIMARY KEY,
	application_id TEXT   NOT NULL REFERENCES applications (id) ON DELETE CASCADE,
	display_name   TEXT   NOT NULL DEFAULT '',
	certificate    BYTEA  NOT NULL, -- DER
	created_at     BIGINT NOT NULL
);
CREATE INDEX application_certificates_by_application ON application_certificates (application_id);

-- keys
CREATE TABLE keys (
	id         TEXT   NOT NULL PRIMARY KEY, -- kid
	use        TEXT   NOT NULL, -- 'sig' or 'enc'
	algorithm  TEXT   NOT NULL, -- ES256, RS256, A256GCM
	wrapped    BYTEA  NOT NULL, -- private key, wrapped by the master key
	public     TEXT   NOT NULL DEFAULT '', -- JWK
	created_at BIGINT NOT NULL,
	active_at  BIGINT NOT NULL, -- from then on it signs or seals
	retired_at BIGINT           -- from then on it only verifies or opens
);

-- logs
CREATE TABLE sign_ins (
	id         TEXT    NOT NULL PRIMARY KEY, -- UUIDv7: its order is time
	created_at BIGINT  NOT NULL,
	user_id    TEXT    NOT NULL DEFAULT '',
	upn        TEXT    NOT NULL DEFAULT '',
	app_id     TEXT    NOT NULL DEFAULT '',
	event_type TEXT    NOT NULL, -- interactiveUser, nonInteractiveUser, servicePrincipal
	error_code BIGINT  NOT NULL,
	record     TEXT    NOT NULL  -- the signIn resource as JSON
);
CREATE INDEX sign_ins_by_user ON sign_ins (user_id, created_at);
CREATE TABLE directory_audits (
	id         TEXT   NOT NULL PRIMARY KEY, -- UUIDv7: its order is time
	created_at BIGINT NOT NULL,
	activity   TEXT   NOT NULL,
	category   TEXT   NOT NULL,
	service    TEXT   NOT NULL,
	result     TEXT   NOT NULL,
	actor_id   TEXT   NOT NULL DEFAULT '',
	target_id  TEXT   NOT NULL DEFAULT '',
	record     TEXT   NOT NULL -- the directoryAudit resource as JSON
);
CREATE INDEX directory_audits_by_target ON directory_audits (target_id, created_at);
CREATE TABLE daily_counters ( -- roll-ups, kept in the transaction of what they count
	day   BIGINT NOT NULL, -- days since 1970-01-01 UTC
	kind  TEXT   NOT NULL, -- e.g. 'signIn'
	key   TEXT   NOT NULL, -- e.g. 'Passkey (synced)|success'
	count BIGINT NOT NULL,
	PRIMARY KEY (day, kind, key)
);
