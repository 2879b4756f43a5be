// Watches every page of a browser context for what must never happen: a
// violation of the Content-Security-Policy, an uncaught script error, a page
// without its style sheet, a 5xx answer.
import type { BrowserContext } from '@playwright/test';

export class Watch {
  readonly troubles: string[] = [];

  private constructor(private readonly origin: string) {}

  // on starts watching context before its first page opens. Violations and
  // script errors count on every page, the rest on pages of origin.
  static async on(context: BrowserContext, origin: string): Promise<Watch> {
    const watch = new Watch(origin);
    await context.exposeBinding('e2eTrouble', (_source, trouble: string) => { watch.troubles.push(trouble); });
    await context.addInitScript((ours) => {
      const tell = (trouble: string) => { (window as unknown as { e2eTrouble(t: string): void }).e2eTrouble(`${location.href}: ${trouble}`); };
      document.addEventListener('securitypolicyviolation', (e) => tell(`policy: ${e.effectiveDirective} stopped ${e.blockedURI} at ${e.sourceFile}:${e.lineNumber} ${e.sample}`));
      addEventListener('load', () => {
        // Without the style sheet a body keeps the browser's margin.
        if (location.origin === ours && document.contentType === 'text/html' && getComputedStyle(document.body).marginTop !== '0px') tell('not styled');
      });
    }, origin);
    context.on('page', (page) => {
      page.on('pageerror', (failure) => { watch.troubles.push(`${page.url()}: script: ${failure.stack ?? failure.message}`); });
      page.on('console', (message) => {
        // The second net: form posts and frames that the browser stops say so here.
        if (message.type() === 'error' && /Content Security Policy|TrustedScript|TrustedHTML/i.test(message.text())) watch.troubles.push(`${page.url()}: console: ${message.text()}`);
      });
    });
    context.on('response', (answer) => {
      if (answer.status() >= 500 && new URL(answer.url()).origin === watch.origin) watch.troubles.push(`${answer.url()}: status ${answer.status()}`);
    });
    return watch;
  }

  // forgive drops the troubles that match, for a test that causes them.
  forgive(pattern: RegExp): void {
    const kept = this.troubles.filter((t) => !pattern.test(t));
    this.troubles.splice(0, this.troubles.length, ...kept);
  }
}
