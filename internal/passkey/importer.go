package passkey

// Imported turns the policy document of an Entra tenant into ours. A document
// without profiles is converted (PK-36); one with profiles is taken as it is,
// on top of Default. The method is on only if the document and c, the present
// policy, both say so: an import switches nothing on. known and newID are as in
// Patched; so are the errors.
func (c Configuration) Imported(document []byte, known func(targetType, id string) bool, newID func() string) (Configuration, []Warning, error) {
	b, err := readBody(document)
	if err != nil {
		return Configuration{}, nil, err
	}
	if b.IncludeTargets == nil {
		return Configuration{}, nil, missing("/includeTargets")
	}
	base := Default()
	base.IncludeTargets = nil // a target of Default must not survive by PK-14 or lend its profiles by PK-34
	next, err := base.changed(b, newID)
	if err != nil {
		return Configuration{}, nil, err
	}
	if b.legacyShaped() && b.IsAttestationEnforced != nil && *b.IsAttestationEnforced {
		for i := range next.PasskeyProfiles {
			next.PasskeyProfiles[i].PasskeyTypes = onlyDeviceBound // the default profile is the only one
		}
	}
	if b.State == nil || c.State == Disabled {
		next.State = c.State
	}
	next = next.settled()
	if err := next.check(base, known); err != nil {
		return Configuration{}, nil, err
	}
	return next, next.Warnings(known), nil
}
