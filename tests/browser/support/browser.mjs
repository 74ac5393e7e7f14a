/** A real Chromium, what it complains about, and pictures of what it shows. */
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { AxeBuilder } from '@axe-core/playwright';
import { chromium } from 'playwright-core';

const ARTIFACTS = resolve(import.meta.dirname, '../../artifacts');
const PLACES = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];
const ACTION_LIMIT_MS = 20_000;

export async function openBrowser(more = []) {
  const executablePath = process.env.TALLYMARK_CHROMIUM ?? PLACES.find((p) => existsSync(p));
  if (!executablePath) throw new Error(`no Chromium at ${PLACES.join(', ')}: install it, or set TALLYMARK_CHROMIUM`);
  await mkdir(ARTIFACTS, { recursive: true });
  // As root, which is what build machines are, Chromium's own sandbox cannot start.
  return chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-dev-shm-usage', ...more] });
}

/**
 * A page that remembers everything wrong: uncaught errors, refused content, failed loads.
 * An answer with an error status is wrong too unless the test announces it in `page.allowed`.
 */
export async function openPage(browser, url) {
  const context = await browser.newContext({
    baseURL: url,
    viewport: { width: 1440, height: 900 },
    colorScheme: 'light',
    reducedMotion: 'reduce',
    permissions: ['clipboard-read', 'clipboard-write'],
    timezoneId: 'UTC',
  });
  const page = await context.newPage();
  page.setDefaultTimeout(ACTION_LIMIT_MS);
  page.complaints = [];
  page.allowed = [];
  const complain = (text) => {
    if (!page.allowed.some((pattern) => pattern.test(text))) page.complaints.push(text);
  };
  page.on('pageerror', (error) => complain(`uncaught: ${error.message}`));
  page.on('console', (message) => {
    // A failed load is reported below with its address, which the console leaves out.
    if (message.type() === 'error' && !message.text().startsWith('Failed to load resource')) {
      complain(`console: ${message.text()}`);
    }
  });
  page.on('response', (answer) => {
    if (answer.status() >= 400) complain(`${answer.status()} ${answer.request().method()} ${answer.url()}`);
  });
  return page;
}

/** Changes the colour scheme and waits until the page wears it. */
async function wear(page, scheme) {
  await page.emulateMedia({ colorScheme: scheme, reducedMotion: 'reduce' });
  await page.locator(`html[data-mantine-color-scheme="${scheme}"]`).waitFor();
  await page.evaluate(() => Promise.all(document.getAnimations().map((a) => a.finished.catch(() => null))));
}

/** Pictures of the whole page, light and dark. */
export async function shoot(page, name) {
  for (const scheme of ['light', 'dark']) {
    await wear(page, scheme);
    await page.screenshot({ path: join(ARTIFACTS, `${name}-${scheme}.png`), fullPage: true });
  }
  await wear(page, 'light');
}

/** Barriers that axe finds in either colour scheme, as readable lines; empty when there are none. */
export async function barriers(page) {
  const found = new Set();
  for (const scheme of ['light', 'dark']) {
    await wear(page, scheme);
    const report = await new AxeBuilder({ page }).withTags(['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa']).analyze();
    for (const violation of report.violations) {
      for (const node of violation.nodes) {
        found.add(`${scheme} ${violation.id}: ${node.target.join(' ')} ${node.any[0]?.message ?? violation.help}`);
      }
    }
  }
  await wear(page, 'light');
  return [...found];
}
