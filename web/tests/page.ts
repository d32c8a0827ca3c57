// What the tests do with the page, in the user's words.
import { randomUUID } from 'node:crypto';

import AxeBuilder from '@axe-core/playwright';
import { expect, test, type Page } from '@playwright/test';

let count = 0;

// A prompt that no other test, and no earlier run on the same server, has.
export function ownPrompt(words = 'a lighthouse'): string {
  return `${words} number${Date.now().toString(36)}x${++count}`;
}

// What the server has of what a test needs. Some servers lack it; the one that has to have all fails then.
export function found<T>(thing: T | undefined, what: string): T {
  if (process.env.SNUG_PAGE_HAS_ALL !== undefined) expect(thing, what).toBeDefined();
  test.skip(thing === undefined, `the server has no ${what}`);
  return thing as T;
}

export interface ListedModel {
  name: string;
  architecture: string | null;
  video: { takes_image: boolean; takes_last_image: boolean; experts: number } | null;
}

export async function listedModels(page: Page): Promise<ListedModel[]> {
  const { models } = (await (await page.request.get('./api/v1/models')).json()) as { models: ListedModel[] };
  return models;
}

// Names of the LoRAs in one of the server's folders of them: those of a family of models.
export async function lorasIn(page: Page, folder: string): Promise<string[]> {
  const { loras } = (await (await page.request.get('./api/v1/loras')).json()) as { loras: { name: string }[] };
  return loras.map(({ name }) => name).filter((name) => name.startsWith(`${folder}/`));
}

export async function openPage(page: Page): Promise<void> {
  await page.goto('./');
  await expect(page.getByTestId('plan-seconds')).toBeVisible();
}

export async function generate(page: Page, prompt: string, steps?: number): Promise<void> {
  await page.getByLabel('Prompt', { exact: true }).fill(prompt);
  if (steps !== undefined) await page.getByLabel('Steps', { exact: true }).fill(String(steps));
  await page.getByLabel('Prompt', { exact: true }).press('Control+Enter');
}

// Behind the page's back, and without waiting for it.
export async function startJob(page: Page, prompt: string, steps: number): Promise<void> {
  const response = await page.request.post('./api/v1/jobs', { data: { prompt, steps }, headers: { 'Idempotency-Key': randomUUID() } });
  expect(response.ok()).toBe(true);
}

// Whatever runs or waits, also of earlier tests.
export async function cancelJobs(page: Page): Promise<void> {
  for (const state of ['queued', 'planned', 'running']) {
    const { jobs } = (await (await page.request.get(`./api/v1/jobs?state=${state}&limit=100`)).json()) as { jobs: { id: string }[] };
    for (const { id } of jobs) await page.request.delete(`./api/v1/jobs/${id}`);
  }
}

export async function expectDone(page: Page): Promise<void> {
  await expect(page.getByTestId('progress-text')).toHaveText(/^Done/, { timeout: 25_000 });
}

export async function expectNoSidewaysScroll(page: Page): Promise<void> {
  const widths = await page.evaluate(() => [document.documentElement.scrollWidth, window.innerWidth]);
  expect(widths[0]).toBeLessThanOrEqual(widths[1] ?? 0);
}

export async function expectAccessible(page: Page): Promise<void> {
  const { violations } = await new AxeBuilder({ page }).analyze();
  const grave = violations.filter(({ impact }) => impact === 'serious' || impact === 'critical');
  expect(grave.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(' ')}`)).toEqual([]);
}
