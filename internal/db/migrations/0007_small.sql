-- Applications and service principals among the deleted items. What they were
-- made of stands in one text, so that all other tables hold the living only.
CREATE TABLE deleted_applications (
	id           TEXT   NOT NULL PRIMARY KEY, -- object id
	kind         TEXT   NOT NULL, -- application, servicePrincipal
	app_id       TEXT   NOT NULL,
	display_name TEXT   NOT NULL,
	item         TEXT   NOT NULL, -- JSON: the object as it was
	content      TEXT   NOT NULL, -- JSON: its rows by table
	deleted_at   BIGINT NOT NULL
);
CREATE INDEX deleted_applications_by_kind ON deleted_applications (kind, display_name, id);
CREATE INDEX deleted_applications_by_time ON deleted_applications (deleted_at);
