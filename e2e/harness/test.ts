// The fixtures of the tests. Each test has a server of its own, so tests share
// nothing and may run in any order.
import { test as base } from '@playwright/test';
import { App } from './app.ts';
import { Device, type DeviceOptions } from './device.ts';
import { Graph, type Person } from './graph.ts';
import { ada, setUp } from './journeys.ts';
import { Server, type ServerOptions } from './server.ts';

export { expect } from '@playwright/test';

type Fixtures = {
  serverOptions: ServerOptions;
  server: Server; // nobody has set it up yet
  open: (options?: DeviceOptions) => Promise<Device>; // a device of somebody; whatever its watch sees fails the test
  admin: Device; // set up by Ada, whose passkey stays on this device
  graph: Graph;
  grace: Person; // hired, with no way to sign in
  startApp: (name?: string) => Promise<App>;
};

export const test = base.extend<Fixtures>({
  serverOptions: [{}, { option: true }],

  server: async ({ serverOptions }, use, info) => {
    const server = await Server.start(serverOptions);
    await use(server);
    if (info.status !== info.expectedStatus) await info.attach('server.log', { body: server.log, contentType: 'text/plain' });
    await server.stop();
  },

  open: async ({ browser, server }, use) => {
    const devices: Device[] = [];
    await use(async (options) => {
      const device = await Device.open(browser, server.url, options);
      devices.push(device);
      return device;
    });
    const troubles = devices.flatMap((d) => d.watch.troubles);
    for (const device of devices) await device.close();
    if (troubles.length) throw new Error(`the watch saw:\n${troubles.join('\n')}`);
  },

  admin: async ({ server, open }, use) => {
    const device = await open({ authenticator: 'device' });
    await setUp(device.page, await server.setupLink(), ada);
    await use(device);
  },

  graph: async ({ server, admin: _ }, use) => { await use(await Graph.connect(server)); },

  grace: async ({ graph }, use) => { await use(await graph.hire('Grace Hopper', 'grace@contoso.com')); },

  startApp: async ({ server, graph }, use) => {
    const apps: App[] = [];
    await use(async (name) => {
      const app = await App.start(server, graph, name);
      apps.push(app);
      return app;
    });
    for (const app of apps) await app.close();
  },
});
