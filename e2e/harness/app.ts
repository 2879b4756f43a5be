// An application that people sign in to: a relying party on another loopback
// origin, written with openid-client, which nobody here wrote.
import { createServer, type IncomingMessage, type Server as HTTP, type ServerResponse } from 'node:http';
import * as oidc from 'openid-client';
import type { Application, Graph } from './graph.ts';
import type { Server } from './server.ts';

type Tokens = Awaited<ReturnType<typeof oidc.authorizationCodeGrant>>;
type Pending = { verifier: string; state: string; nonce: string };

export class App {
  tokens?: Tokens; // of the person who signed in last
  readonly callbacks: { method: string; url: string }[] = []; // every answer that came back
  private pending = new Map<string, Pending>(); // by state

  private constructor(
    readonly name: string,
    readonly url: string, // http://127.0.0.1:PORT
    readonly config: oidc.Configuration,
    readonly registration: Application,
    private readonly http: HTTP,
  ) {}

  // start registers name with Cardea and opens its doors. Its front page is
  // "/", "/signin?response_mode=…&prompt=…" sends the browser to Cardea with
  // those parameters, "/signout" ends the session there too.
  static async start(server: Server, graph: Graph, name = 'Payroll'): Promise<App> {
    const http = createServer();
    await new Promise<void>((ready) => http.listen(0, '127.0.0.1', ready));
    const url = `http://127.0.0.1:${(http.address() as { port: number }).port}`;
    const registration = await graph.register(name, `${url}/callback`, `${url}/goodbye`);
    const { issuer } = await (await fetch(`${server.url}/common/v2.0/.well-known/openid-configuration`)).json() as { issuer: string };
    const config = await oidc.discovery(new URL(issuer), registration.appId, registration.secret, undefined, { execute: [oidc.allowInsecureRequests] });
    const app = new App(name, url, config, registration, http);
    http.on('request', (ask: IncomingMessage, answer: ServerResponse) => {
      app.serve(ask, answer).catch((failure: Error & { error?: string; cause?: unknown }) => {
        page(answer, 500, name, `<h1>${name} failed</h1><p role="alert">${text([failure.error, failure.message, failure.cause instanceof Error ? failure.cause.message : ''].join(' '))}</p>`);
      });
    });
    return app;
  }

  private async serve(ask: IncomingMessage, answer: ServerResponse): Promise<void> {
    const url = new URL(ask.url ?? '/', this.url);
    switch (url.pathname) {
      case '/':
        return page(answer, 200, this.name, this.tokens ? `<h1>${this.name}</h1><p>Signed in as ${text(String(this.tokens.claims()?.name))}</p><a href="/signout">Sign out</a>` : `<h1>${this.name}</h1><a href="/signin">Sign in</a>`);
      case '/signin':
        return redirect(answer, (await this.authorization(Object.fromEntries(url.searchParams))).href);
      case '/callback':
        this.tokens = await this.redeem(ask, url);
        return redirect(answer, '/');
      case '/signout': {
        const hint = this.tokens?.id_token;
        this.tokens = undefined;
        return redirect(answer, oidc.buildEndSessionUrl(this.config, { post_logout_redirect_uri: `${this.url}/goodbye`, state: 'until/later==', ...(hint ? { id_token_hint: hint } : {}) }).href);
      }
      case '/goodbye':
        return page(answer, 200, this.name, `<h1>Goodbye</h1><p>${text(url.searchParams.get('state') ?? 'no state')}</p>`);
    }
    page(answer, 404, this.name, '<h1>Nothing here</h1>');
  }

  // authorization begins a sign-in and returns where the browser goes for it.
  async authorization(more: Record<string, string> = {}): Promise<URL> {
    const pending: Pending = { verifier: oidc.randomPKCECodeVerifier(), state: oidc.randomState(), nonce: oidc.randomNonce() };
    this.pending.set(pending.state, pending);
    return oidc.buildAuthorizationUrl(this.config, {
      redirect_uri: `${this.url}/callback`, scope: 'openid profile email offline_access', code_challenge: await oidc.calculatePKCECodeChallenge(pending.verifier), code_challenge_method: 'S256',
      state: pending.state, nonce: pending.nonce, ...more,
    });
  }

  private async redeem(ask: IncomingMessage, url: URL): Promise<Tokens> {
    let back: URL | Request = url, state = url.searchParams.get('state');
    this.callbacks.push({ method: ask.method ?? '', url: url.href });
    if (ask.method === 'POST') {
      const chunks: Buffer[] = [];
      for await (const chunk of ask) chunks.push(chunk as Buffer);
      const body = Buffer.concat(chunks).toString();
      state = new URLSearchParams(body).get('state');
      back = new Request(url, { method: 'POST', headers: { 'content-type': ask.headers['content-type'] ?? '' }, body });
    }
    const pending = this.pending.get(state ?? '');
    if (!pending) throw new Error(`no sign-in with the state ${state} was begun`);
    this.pending.delete(pending.state);
    return oidc.authorizationCodeGrant(this.config, back, { pkceCodeVerifier: pending.verifier, expectedState: pending.state, expectedNonce: pending.nonce, idTokenExpected: true });
  }

  async close(): Promise<void> {
    this.http.closeAllConnections();
    await new Promise((closed) => this.http.close(closed));
  }
}

const text = (s: string): string => s.replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);

function page(answer: ServerResponse, status: number, title: string, body: string): void {
  answer.writeHead(status, { 'content-type': 'text/html; charset=utf-8' });
  answer.end(`<!doctype html><html lang="en"><head><title>${title}</title><link rel="icon" href="data:,"></head><body><main>${body}</main></body></html>`);
}

function redirect(answer: ServerResponse, to: string): void { answer.writeHead(303, { location: to }).end(); }
