-- The names that other systems give to people and groups (SCIM's externalId).

CREATE TABLE external_ids (
	object_id   TEXT NOT NULL PRIMARY KEY, -- of the user or the group
	kind        TEXT NOT NULL,             -- 'user' or 'group'
	external_id TEXT NOT NULL,             -- compared as it is: SCIM calls it case exact
	UNIQUE (kind, external_id)
);
