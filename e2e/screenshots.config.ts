import { defineConfig } from '@playwright/test';
import { shared } from './playwright.config.ts';

// Takes the pictures of docs/images; `make screenshots` runs it.
export default defineConfig(shared, { testDir: 'screenshots', workers: 1 });
