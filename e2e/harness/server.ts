// A real Cardea for one test: bin/cardea with an empty data folder on a free
// port, ended by its own process id.
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { get } from 'node:https';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { fileURLToPath } from 'node:url';

const binary = fileURLToPath(new URL('../../bin/cardea', import.meta.url));

// freePort asks the system for a port that nobody listens on.
export async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((ready, failed) => probe.once('error', failed).listen(0, '127.0.0.1', ready));
  const { port } = probe.address() as { port: number };
  await new Promise((closed) => probe.close(closed));
  return port;
}

export type ServerOptions = {
  command?: string[]; // default: serve
  env?: Record<string, string>;
  program?: string; // default: bin/cardea
  bare?: boolean; // leaves out the application of automation
  tls?: boolean; // https with a local authority
};

// Automation is what `cardea bootstrap app` prints.
export type Automation = { tenantId: string; clientId: string; clientSecret: string };

// Printed is what a command wrote to its standard output, to both outputs
// together, and how it ended.
export type Printed = { out: string; output: string; status: number | null };

export class Server {
  private output = '';
  private app?: Automation;

  private constructor(
    readonly url: string, // http://localhost:PORT or https, no slash at the end
    readonly dataDir: string,
    private readonly child: ChildProcess,
    private readonly options: ServerOptions,
  ) {}

  // start returns once /readyz says ready; otherwise it throws with what the
  // server printed.
  static async start(options: ServerOptions = {}): Promise<Server> {
    const port = await freePort();
    const dataDir = await mkdtemp(join(tmpdir(), 'cardea-e2e-'));
    const app = options.bare ? undefined : await Server.bootstrap(port, dataDir, options);
    const server = Server.spawn(port, dataDir, options);
    server.app = app;
    try {
      await server.ready();
    } catch (failure) {
      await server.stop();
      throw failure;
    }
    return server;
  }

  private static environment(port: number, dataDir: string, options: ServerOptions): NodeJS.ProcessEnv {
    return { PATH: process.env.PATH, HOME: dataDir, CARDEA_LISTEN: `127.0.0.1:${port}`, CARDEA_DATA_DIR: dataDir, ...(options.tls ? { CARDEA_TLS: 'self-signed', CARDEA_PUBLIC_URL: `https://localhost:${port}` } : {}), ...options.env };
  }

  private static spawn(port: number, dataDir: string, options: ServerOptions): Server {
    const child = spawn(options.program ?? binary, options.command ?? ['serve'], { env: Server.environment(port, dataDir, options), stdio: ['pipe', 'pipe', 'pipe'] });
    const server = new Server(`${options.tls ? 'https' : 'http'}://localhost:${port}`, dataDir, child, options);
    for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk: Buffer) => { server.output += chunk.toString(); });
    child.on('error', (failure) => { server.output += `\n${failure.message}`; });
    return server;
  }

  // bootstrap registers the application of the tests before the server starts.
  private static async bootstrap(port: number, dataDir: string, options: ServerOptions): Promise<Automation> {
    const { out, output, status } = await Server.run(port, dataDir, options, ['bootstrap', 'app', '--name', 'Tests', '--output', 'json']);
    if (status !== 0) throw new Error(`cardea bootstrap app: ${output}`);
    return JSON.parse(out) as Automation;
  }

  private static async run(port: number, dataDir: string, options: ServerOptions, args: string[]): Promise<Printed> {
    const child = spawn(binary, args, { env: Server.environment(port, dataDir, options), stdio: ['ignore', 'pipe', 'pipe'] });
    let out = '', output = '';
    child.stdout.on('data', (chunk: Buffer) => { out += chunk.toString(); output += chunk.toString(); });
    child.stderr.on('data', (chunk: Buffer) => { output += chunk.toString(); });
    const status = await new Promise<number | null>((ended, failed) => child.once('error', failed).once('close', ended));
    return { out, output, status };
  }

  get log(): string { return this.output; }

  get automation(): Automation {
    if (!this.app) throw new Error('this server was started bare');
    return this.app;
  }

  // until asks again and again, for half a minute or until the server ended.
  private async until<T>(ask: () => T | undefined | Promise<T | undefined>): Promise<T | undefined> {
    for (const deadline = Date.now() + 30_000; Date.now() < deadline; await new Promise((again) => setTimeout(again, 50))) {
      const answer = await ask();
      if (answer !== undefined) return answer;
      if (this.child.exitCode !== null || this.child.pid === undefined) return undefined;
    }
    return undefined;
  }

  private async ready(): Promise<void> {
    const ready = await this.until(() => this.options.tls ? this.answers() : fetch(`${this.url}/readyz`).then((answer) => answer.ok || undefined, () => undefined));
    if (!ready) throw new Error(`the server is not ready; it printed:\n${this.output || '(nothing)'}`);
  }

  // authority is the file with the certificate to trust, of a server with tls.
  get authority(): string { return join(this.dataDir, 'local-ca.pem'); }

  // publicKey is the key of the server's certificate, as SubjectPublicKeyInfo.
  async publicKey(): Promise<Buffer> {
    const socket = connect({ port: Number(new URL(this.url).port), host: '127.0.0.1', servername: 'localhost', ca: await readFile(this.authority) });
    await new Promise<void>((ready, failed) => socket.once('secureConnect', ready).once('error', failed));
    const key = socket.getPeerX509Certificate()!.publicKey.export({ type: 'spki', format: 'der' });
    socket.destroy();
    return key;
  }

  // answers is true once /readyz says ready over https.
  private async answers(): Promise<true | undefined> {
    const ca = await readFile(this.authority).catch(() => undefined);
    if (!ca) return undefined;
    return new Promise((done) => get(`${this.url}/readyz`, { ca }, (answer) => { answer.resume(); done(answer.statusCode === 200 || undefined); }).once('error', () => done(undefined)));
  }

  // setupLink returns the one-time link that the server prints once it is ready.
  async setupLink(): Promise<string> { return (await this.links('setup'))[0]!; }

  // links returns the links to /what?link=… that the server prints once it is ready.
  async links(what: 'setup' | 'enrol'): Promise<string[]> {
    const pattern = new RegExp(`https?://\\S+/${what}\\?link=\\S+(?=\\s)`, 'g');
    const found = await this.until(() => this.output.match(pattern) ?? undefined);
    if (!found) throw new Error(`no link to /${what} in what the server printed:\n${this.output}`);
    return found;
  }

  // file reads a file of the data folder and returns its permissions too.
  async file(name: string): Promise<{ text: string; mode: number }> {
    const path = join(this.dataDir, name);
    return { text: await readFile(path, 'utf8'), mode: (await stat(path)).mode & 0o777 };
  }

  // command runs bin/cardea with other arguments on the same data, such as
  // command('bootstrap'), and returns what it printed and its exit status.
  command(...args: string[]): Promise<Printed> {
    return Server.run(Number(new URL(this.url).port), this.dataDir, this.options, args);
  }

  // forward moves the clock of a server started as bin/cardea-clock, by a
  // duration as Go writes it ("11m"), and returns when it has moved.
  async forward(by: string): Promise<void> {
    const printed = this.output.length;
    this.child.stdin?.write(`forward ${by}\n`);
    if (!await this.until(() => this.output.slice(printed).includes('clock: ') || undefined)) throw new Error('the clock did not move');
  }

  // stop ends the server and removes its data.
  async stop(): Promise<void> {
    if (this.child.pid !== undefined && this.child.exitCode === null && this.child.signalCode === null) {
      const ended = new Promise((exit) => this.child.once('exit', exit));
      this.child.kill('SIGTERM');
      const hard = setTimeout(() => this.child.kill('SIGKILL'), 10_000);
      await ended;
      clearTimeout(hard);
    }
    await rm(this.dataDir, { recursive: true, force: true });
  }
}
