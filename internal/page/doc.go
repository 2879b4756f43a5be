// Package page shows the pages that everybody sees: sign-in, prompts, Security
// info, set-up. It renders them, guards them with headers, and answers for
// handlers that only return values.
//
// The life of a request. Renderer.Handle gives it a correlation id, refuses it
// when it is an unsafe request from another origin, limits its body, and calls
// the Handler. The Handler returns an Answer (HTML, JSON or a redirect to one
// of our own pages) or an error. Only then is anything written: the whole page
// from a buffer, or the error as a page or as JSON, whichever was asked for.
//
// What it promises:
//   - No handler holds a ResponseWriter, so none can forget a header, show an
//     internal error, or send half a page.
//   - HTML leaves with the Content-Security-Policy of ux.md §1.3 and is never
//     cached; assets carry their hash in their name and are cached for ever.
//   - Every text comes from one catalogue, web/signin/words.en.txt.
//   - A POST is answered with a redirect to our own pages only; browsers check
//     form-action along the whole chain of redirects.
//
// What it does not do: it knows no person, reads no database, and decides
// nothing. Views are plain data that an edge fills.
package page
