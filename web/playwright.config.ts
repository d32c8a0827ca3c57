// The page in a real Chromium, against a server. From the environment:
//   SNUG_PAGE_COMMAND  starts the server, as in "build/release/snug serve ..."; without it the stand-in of
//                      stand_in_server.mjs answers, and the tests tagged @server are left out
//   SNUG_PAGE_URL      where it then answers
//   SNUG_PAGE_HAS_ALL  set: it has the models and LoRAs that tests need, as ./dev test --browser gives them to it;
//                      a test that misses one fails, where it is left out otherwise
//   SNUG_CHROMIUM      the browser; default: the system's
import { existsSync } from 'node:fs';

import { defineConfig } from '@playwright/test';

const command = process.env.SNUG_PAGE_COMMAND;
const baseURL = process.env.SNUG_PAGE_URL ?? 'http://127.0.0.1:7871';
const browser = process.env.SNUG_CHROMIUM ?? '/usr/bin/chromium';

export default defineConfig({
  testDir: 'tests',
  timeout: 30_000,
  workers: 1, // one server, one queue
  retries: 0,
  forbidOnly: true,
  reporter: [['list']],
  ...(command === undefined ? { grepInvert: /@server/ } : {}),
  use: {
    baseURL,
    launchOptions: existsSync(browser) ? { executablePath: browser } : {},
    trace: 'retain-on-failure',
  },
  projects: [
    { name: 'desktop', use: { viewport: { width: 1280, height: 800 } } },
    { name: 'phone', use: { viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true } },
  ],
  webServer: {
    command: command ?? `node tests/stand_in_server.mjs ${new URL(baseURL).port}`,
    url: baseURL,
    reuseExistingServer: false,
    timeout: 60_000,
  },
});
