// A single-page application that signs people in with msal-browser, as its own
// origin serves it. It knows Cardea by the lines of docs/clients.md.
import { readFile } from 'node:fs/promises';
import { createServer, type Server as HTTP } from 'node:http';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

const library = join(dirname(createRequire(import.meta.url).resolve('@azure/msal-browser/package.json')), 'lib/msal-browser.min.js');

// The page signs in by redirect, asks for a token from the cache and for a
// fresh one, reads /me with it, and writes what it saw into the document.
const page = (authority: string, host: string, clientId: string) => `<!doctype html><html lang="en"><title>Notes</title><h1>Notes</h1>
<button id="in">Sign in</button><pre id="seen"></pre><script src="/msal.js"></script><script>
const scopes = ['User.Read'], show = (o) => { document.getElementById('seen').textContent = JSON.stringify(o); };
(async () => {
  const app = await msal.createStandardPublicClientApplication({ auth: { clientId: '${clientId}', authority: '${authority}', knownAuthorities: ['${host}'], redirectUri: location.origin + '/' }, cache: { cacheLocation: 'sessionStorage' } });
  document.getElementById('in').onclick = () => app.loginRedirect({ scopes, state: 'where was I?' });
  const back = await app.handleRedirectPromise();
  const account = back?.account ?? app.getAllAccounts()[0];
  if (!account) return show({ signedIn: false });
  const cached = await app.acquireTokenSilent({ scopes, account }), fresh = await app.acquireTokenSilent({ scopes, account, forceRefresh: true });
  const me = await (await fetch('https://${host}/v1.0/me', { headers: { Authorization: 'Bearer ' + fresh.accessToken, 'client-request-id': 'spa' } })).json();
  show({ signedIn: true, state: back?.state, name: account.name, home: account.homeAccountId.split('.')[1] === account.tenantId, cached: cached.fromCache, fresh: !fresh.fromCache, differ: cached.accessToken !== fresh.accessToken, scopes: fresh.scopes, me: me.userPrincipalName });
})().catch((e) => show({ failed: e.errorCode ?? e.name, message: String(e.errorMessage ?? e.message) }));
</script></html>`;

export class SPA {
  private constructor(readonly url: string, private readonly http: HTTP) {}

  // start opens the doors before the application is registered: its redirect
  // URI names its port. register gives the client id.
  static async start(host: string, tenant: string, register: (redirectUri: string) => Promise<string>): Promise<SPA> {
    const http = createServer();
    await new Promise<void>((ready) => http.listen(0, '127.0.0.1', ready));
    const url = `http://localhost:${(http.address() as { port: number }).port}`;
    const text = page(`https://${host}/${tenant}`, host, await register(`${url}/`));
    const script = await readFile(library);
    http.on('request', (ask, answer) => {
      if (ask.url === '/msal.js') return answer.writeHead(200, { 'Content-Type': 'text/javascript' }).end(script);
      answer.writeHead(200, { 'Content-Type': 'text/html; charset=utf-8' }).end(text);
    });
    return new SPA(url, http);
  }

  async close(): Promise<void> {
    this.http.closeAllConnections();
    await new Promise((closed) => this.http.close(closed));
  }
}
