-- Conditional Access: policies, named locations, authentication strengths, authentication contexts. One table: they are
-- documents with a name, a number of changes, and 30 days among the deleted items (CA-19).
CREATE TABLE ca_objects (
	id          TEXT   NOT NULL PRIMARY KEY, -- a GUID; of an authentication context c1 to c99
	sort        TEXT   NOT NULL, -- policy, location, strength, context
	display_key TEXT   NOT NULL, -- the name in lower case
	state       TEXT   NOT NULL DEFAULT '', -- of a policy its state, of a location its type, of a strength its requirement
	document    TEXT   NOT NULL, -- the Graph resource as JSON, without what has columns
	created_at  BIGINT NOT NULL,
	modified_at BIGINT NOT NULL DEFAULT 0, -- 0: never changed
	deleted_at  BIGINT NOT NULL DEFAULT 0, -- 0: in use
	version     BIGINT NOT NULL DEFAULT 1
);
CREATE INDEX ca_objects_by_name ON ca_objects (sort, deleted_at, display_key, id);

-- Every state that an object ever had, with who made it (CA-20): sign-ins and replays name the version they were judged by.
CREATE TABLE ca_versions (
	object_id      TEXT   NOT NULL,
	version        BIGINT NOT NULL,
	document       TEXT   NOT NULL, -- '' if this change deleted it
	created_at     BIGINT NOT NULL,
	actor_id       TEXT   NOT NULL DEFAULT '',
	actor_name     TEXT   NOT NULL DEFAULT '',
	correlation_id TEXT   NOT NULL DEFAULT '', -- of the audit record
	PRIMARY KEY (object_id, version)
);

-- The combinations of custom strengths, for $filter; the built-in ones are in the program.
CREATE TABLE ca_combinations (
	strength_id TEXT NOT NULL,
	modes       TEXT NOT NULL, -- password,softwareoath
	PRIMARY KEY (strength_id, modes)
);
