// Chromium of the machine, without its own traffic, and pages that tell what went wrong in them.

import { join } from 'node:path';
import axe from 'axe-core';
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';
import { findTool } from '../../support/tools.ts';

export const browserPath = findTool('chromium') ?? findTool('chromium-browser') ?? findTool('google-chrome');

/** @param more further arguments of the browser */
export async function openBrowser(more: readonly string[] = []): Promise<Browser> {
  return await chromium.launch({
    executablePath: browserPath!,
    args: [
      '--no-sandbox',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      ...more,
    ],
  });
}

export interface Look {
  readonly width: number;
  readonly height: number;
  readonly theme: 'light' | 'dark';
}

export interface WatchedPage {
  readonly context: BrowserContext;
  readonly page: Page;
  /** Errors, refusals by the page's policy, and requests to anywhere else. */
  readonly faults: string[];
}

/** A page whose faults are kept. Nothing of the machine's own settings is in it. */
export async function openPage(browser: Browser, origin: string, look: Look): Promise<WatchedPage> {
  const context = await browser.newContext({
    viewport: { width: look.width, height: look.height },
    colorScheme: look.theme,
    timezoneId: 'Europe/Berlin',
    locale: 'en-GB',
    reducedMotion: 'reduce',
  });
  const page = await context.newPage();
  const faults: string[] = [];
  page.on('pageerror', (error) => faults.push(`error: ${error.message}`));
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') faults.push(`console: ${message.text()}`);
  });
  page.on('request', (request) => {
    if (!request.url().startsWith(`${origin}/`)) faults.push(`asked ${request.url()}`);
    if (/upadm_/.test(request.url())) faults.push(`a token in an address: ${request.url()}`);
  });
  return { context, page, faults };
}

export async function logIn(page: Page, origin: string, token: string, path = '/live'): Promise<void> {
  await page.goto(`${origin}${path}`);
  await page.getByLabel('Operator token').fill(token);
  await page.getByRole('button', { name: 'Log in' }).click();
  await page.getByRole('navigation', { name: 'Views' }).first().waitFor({ state: 'attached' });
}

/** What axe finds in the page as it is, as `rule: place`. */
export async function axeFindings(page: Page): Promise<readonly string[]> {
  await page.evaluate(axe.source);
  // As text: this program knows no document.
  const found: {
    readonly violations: readonly {
      readonly id: string;
      readonly nodes: readonly { readonly html: string }[];
    }[];
  } = await page.evaluate(`axe.run(document, { runOnly: ${JSON.stringify(axeTags)} })`);
  return found.violations.map(
    ({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 160)).join(' | ')}`,
  );
}

const axeTags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];

const pictures = process.env['UPSTREAMPROXY_CONSOLE_PICTURES'];

/** A picture of the page into the folder of the run. */
export async function picture(page: Page, name: string): Promise<void> {
  if (pictures !== undefined) await page.screenshot({ path: join(pictures, `${name}.png`) });
}

/** Follows an address within the page, as its own links do. */
export async function goTo(page: Page, path: string): Promise<void> {
  const move = `history.pushState(null, '', ${JSON.stringify(path)}); dispatchEvent(new Event('upstreamproxy-moved'))`;
  await page.evaluate(move);
}
