// A real Cardea for one test: bin/cardea with an empty data folder on a free
// port, ended by its own process id.
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
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
};

export class Server {
  private output = '';

  private constructor(
    readonly url: string, // http://localhost:PORT, no slash at the end
    readonly dataDir: string,
    private readonly child: ChildProcess,
    private readonly options: ServerOptions,
  ) {}

  // start returns once /readyz says ready; otherwise it throws with what the
  // server printed.
  static async start(options: ServerOptions = {}): Promise<Server> {
    const port = await freePort();
    const dataDir = await mkdtemp(join(tmpdir(), 'cardea-e2e-'));
    const server = Server.spawn(port, dataDir, options);
    try {
      await server.ready();
    } catch (failure) {
      await server.stop();
      throw failure;
    }
    return server;
  }

  private static environment(port: number, dataDir: string, options: ServerOptions): NodeJS.ProcessEnv {
    return { PATH: process.env.PATH, HOME: dataDir, CARDEA_LISTEN: `127.0.0.1:${port}`, CARDEA_DATA_DIR: dataDir, ...options.env };
  }

  private static spawn(port: number, dataDir: string, options: ServerOptions): Server {
    const child = spawn(options.program ?? binary, options.command ?? ['serve'], { env: Server.environment(port, dataDir, options), stdio: ['pipe', 'pipe', 'pipe'] });
    const server = new Server(`http://localhost:${port}`, dataDir, child, options);
    for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk: Buffer) => { server.output += chunk.toString(); });
    child.on('error', (failure) => { server.output += `\n${failure.message}`; });
    return server;
  }

  get log(): string { return this.output; }

  private async ready(): Promise<void> {
    for (const deadline = Date.now() + 30_000; Date.now() < deadline; await new Promise((again) => setTimeout(again, 50))) {
      if (this.child.exitCode !== null || this.child.pid === undefined) break;
      const answer = await fetch(`${this.url}/readyz`).catch(() => undefined);
      if (answer?.ok) return;
    }
    throw new Error(`the server is not ready; it printed:\n${this.output || '(nothing)'}`);
  }

  // setupLink returns the one-time link that the server printed at its start.
  setupLink(): string {
    const found = this.output.match(/https?:\/\/\S+\/setup\S*/);
    if (!found) throw new Error(`no set-up link in what the server printed:\n${this.output}`);
    return found[0];
  }

  // file reads a file of the data folder and returns its permissions too.
  async file(name: string): Promise<{ text: string; mode: number }> {
    const path = join(this.dataDir, name);
    return { text: await readFile(path, 'utf8'), mode: (await stat(path)).mode & 0o777 };
  }

  // command runs bin/cardea with other arguments on the same data, such as
  // command('bootstrap'), and returns what it printed and its exit status.
  async command(...args: string[]): Promise<{ output: string; status: number | null }> {
    const port = Number(new URL(this.url).port);
    const child = spawn(binary, args, { env: Server.environment(port, this.dataDir, this.options), stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => { output += chunk.toString(); });
    const status = await new Promise<number | null>((ended, failed) => child.once('error', failed).once('close', ended));
    return { output, status };
  }

  // tell writes a line to the server's standard input (see clock/main.go).
  tell(line: string): void { this.child.stdin?.write(line + '\n'); }

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
