// A device of somebody: a browser of its own with an authenticator in it.
import type { Browser, BrowserContext, BrowserContextOptions, Page } from '@playwright/test';
import { Authenticator, type Kind } from './authenticator.ts';
import { Watch } from './watch.ts';

export type DeviceOptions = BrowserContextOptions & {
  authenticator?: Kind | 'none'; // default: synced
};

export class Device {
  private readonly plugged: Authenticator[] = [];

  private constructor(readonly context: BrowserContext, readonly page: Page, readonly watch: Watch) {}

  // open starts a device whose relative addresses lead to origin.
  static async open(browser: Browser, origin: string, { authenticator = 'synced', ...options }: DeviceOptions = {}): Promise<Device> {
    const context = await browser.newContext({ baseURL: origin, ...options });
    const watch = await Watch.on(context, origin);
    const device = new Device(context, await context.newPage(), watch);
    if (authenticator !== 'none') await device.plugIn(authenticator);
    return device;
  }

  async plugIn(kind: Kind): Promise<Authenticator> {
    const added = await Authenticator.add(this.page, kind);
    this.plugged.push(added);
    return added;
  }

  // authenticator is the one the device was opened with.
  get authenticator(): Authenticator {
    const first = this.plugged[0];
    if (!first) throw new Error('this device has no authenticator');
    return first;
  }

  async close(): Promise<void> { await this.context.close(); }
}
