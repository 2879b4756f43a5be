-- Applications as other tools know them: service principals, app roles, consents, owners. See docs/sql.md.

ALTER TABLE applications ADD COLUMN document TEXT NOT NULL DEFAULT '{}';   -- JSON of application.Document
ALTER TABLE applications ADD COLUMN unique_name TEXT NOT NULL DEFAULT '';  -- lower case; set once
CREATE UNIQUE INDEX applications_by_unique_name ON applications (unique_name) WHERE unique_name <> '';
CREATE INDEX applications_by_name ON applications (display_name, id);
CREATE TABLE application_identifiers ( -- identifier URIs: no two applications have the same
	uri_key        TEXT NOT NULL PRIMARY KEY, -- lower case, without a slash at the end
	application_id TEXT NOT NULL REFERENCES applications (id) ON DELETE CASCADE
);
CREATE INDEX application_identifiers_by_application ON application_identifiers (application_id);

ALTER TABLE application_secrets ADD COLUMN starts_at BIGINT NOT NULL DEFAULT 0;                     -- 0: when it was made
ALTER TABLE application_secrets ADD COLUMN of_principal BOOLEAN NOT NULL DEFAULT FALSE;             -- listed on the service principal
ALTER TABLE application_certificates ADD COLUMN starts_at BIGINT NOT NULL DEFAULT 0;                -- 0: as the certificate says
ALTER TABLE application_certificates ADD COLUMN expires_at BIGINT NOT NULL DEFAULT 0;               -- 0: as the certificate says
ALTER TABLE application_certificates ADD COLUMN custom_id TEXT NOT NULL DEFAULT '';                 -- '': the SHA-1 thumbprint
ALTER TABLE application_certificates ADD COLUMN of_principal BOOLEAN NOT NULL DEFAULT FALSE;

CREATE TABLE service_principals ( -- what an application may do and who may use it, in this organisation
	id                  TEXT    NOT NULL PRIMARY KEY,
	app_id              TEXT    NOT NULL UNIQUE,
	display_name        TEXT    NOT NULL,
	type                TEXT    NOT NULL DEFAULT 'Application',
	enabled             BOOLEAN NOT NULL DEFAULT TRUE,
	assignment_required BOOLEAN NOT NULL DEFAULT FALSE,
	explicit            BOOLEAN NOT NULL DEFAULT TRUE, -- FALSE: made with its application and not asked for yet
	built_in            BOOLEAN NOT NULL DEFAULT FALSE,
	document            TEXT    NOT NULL DEFAULT '{}', -- JSON of application.PrincipalDocument
	created_at          BIGINT  NOT NULL,
	version             BIGINT  NOT NULL DEFAULT 1
);
CREATE INDEX service_principals_by_name ON service_principals (display_name, id);
INSERT INTO service_principals (id, app_id, display_name, built_in, created_at) VALUES
	('ca4dea00-5e00-4000-8000-000000000003', '00000003-0000-0000-c000-000000000000', 'Microsoft Graph', TRUE, 0),
	('ca4dea00-5e00-4000-8000-0000000000ad', 'ca4dea00-c11e-4000-8000-0000000000ad', 'Cardea administration', TRUE, 0);
-- Applications that are there already: the id of the application, a UUID of version 7, with version 8.
INSERT INTO service_principals (id, app_id, display_name, assignment_required, created_at)
	SELECT substr(id, 1, 14) || '8' || substr(id, 16), app_id, display_name, assignment, created_at FROM applications;

CREATE TABLE app_role_assignments (
	id             TEXT   NOT NULL PRIMARY KEY,
	principal_id   TEXT   NOT NULL,
	principal_type TEXT   NOT NULL, -- User, Group, ServicePrincipal
	resource_id    TEXT   NOT NULL REFERENCES service_principals (id) ON DELETE CASCADE,
	app_role_id    TEXT   NOT NULL, -- the zero GUID: access without a role
	value          TEXT   NOT NULL DEFAULT '', -- of a role of Microsoft Graph: the name of the permission
	created_at     BIGINT NOT NULL,
	UNIQUE (principal_id, resource_id, app_role_id)
);
CREATE INDEX app_role_assignments_by_resource ON app_role_assignments (resource_id, principal_id);
CREATE TABLE oauth2_permission_grants (
	id           TEXT   NOT NULL PRIMARY KEY,
	client_id    TEXT   NOT NULL REFERENCES service_principals (id) ON DELETE CASCADE, -- who may use it
	principal_id TEXT   NOT NULL DEFAULT '', -- for whom: a user, or '' for everybody
	resource_id  TEXT   NOT NULL REFERENCES service_principals (id) ON DELETE CASCADE, -- on what
	scope        TEXT   NOT NULL, -- names of permissions, separated by blanks
	created_at   BIGINT NOT NULL,
	UNIQUE (client_id, principal_id, resource_id)
);
CREATE INDEX oauth2_permission_grants_by_principal ON oauth2_permission_grants (principal_id);
CREATE INDEX oauth2_permission_grants_by_resource ON oauth2_permission_grants (resource_id);
CREATE TABLE application_owners ( -- names only: owning gives no right
	object_id  TEXT   NOT NULL, -- an application or a service principal
	owner_id   TEXT   NOT NULL,
	owner_type TEXT   NOT NULL, -- User, ServicePrincipal
	created_at BIGINT NOT NULL,
	PRIMARY KEY (object_id, owner_id)
);
CREATE INDEX application_owners_by_owner ON application_owners (owner_id);
CREATE TABLE application_tags ( -- of applications and service principals, for $filter
	object_id TEXT NOT NULL,
	tag       TEXT NOT NULL,
	PRIMARY KEY (object_id, tag)
);
