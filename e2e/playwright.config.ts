import { defineConfig } from '@playwright/test';

// The settings that every run shares; screenshots.config.ts builds on them.
export const shared = defineConfig({
  // Tests of one file share a server and go in order; files run side by side.
  workers: 2,
  fullyParallel: false,
  forbidOnly: !!process.env.CI,
  // At a desk a test that needs a second try is broken. In CI the machine is
  // shared and may stall for seconds; a second try is reported as flaky.
  retries: process.env.CI ? 2 : 0,
  timeout: 120_000,
  expect: { timeout: 15_000 },
  reporter: [['list']],
  outputDir: 'test-results',
  use: {
    browserName: 'chromium',
    locale: 'en-GB',
    timezoneId: 'Europe/Zurich',
    trace: process.env.TRACE ? 'retain-on-failure' : 'off',
    screenshot: 'only-on-failure',
    launchOptions: {
      executablePath: process.env.CARDEA_CHROMIUM || '/usr/bin/chromium',
      args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
    },
  },
});

export default defineConfig(shared, { testDir: 'specs' });
