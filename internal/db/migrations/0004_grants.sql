CREATE TABLE device_codes ( -- sign-ins that a device without a browser asked for (RFC 8628)
	id             TEXT   NOT NULL PRIMARY KEY,
	secret_hash    BYTEA  NOT NULL, -- of the device code
	user_code_hash BYTEA  NOT NULL UNIQUE, -- of the code that a person types
	grant_json     TEXT   NOT NULL, -- what was asked for; once approved, also who gave it
	client_id      TEXT   NOT NULL,
	ip             TEXT   NOT NULL, -- of the device, for the person to compare
	client         TEXT   NOT NULL, -- "Windows, PowerShell"
	state          TEXT   NOT NULL DEFAULT 'pending', -- approved, declined
	created_at     BIGINT NOT NULL,
	expires_at     BIGINT NOT NULL,
	polled_at      BIGINT NOT NULL DEFAULT 0,
	used_at        BIGINT,
	family_id      TEXT   NOT NULL DEFAULT '' -- refresh family it gave, revoked if the code comes twice
);
CREATE INDEX device_codes_by_expiry ON device_codes (expires_at);
