package graph

// resources is the whole API: adding a resource is adding a line.
func (a *api) resources() []route {
	var out []route
	for _, area := range [][]resource{users(), groups(), roles(), organizations(), applications(), passes(), logs()} {
		for _, r := range area {
			out = append(out, r.list()...)
		}
	}
	return out
}
