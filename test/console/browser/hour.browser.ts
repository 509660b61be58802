// What the page holds after an hour of 1,000 events a second: as many events, sent as fast as the page takes them. Memory and elements are judged,
// and how they went is written beside the pictures.

import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { CDPSession } from 'playwright-core';
import type { AuditEvent } from '../../../src/api/audit-event.ts';
import type { Followers } from '../../../src/gateway/admin/followers.ts';
import { event, openAdminScene } from '../../gateway/admin/admin-fixture.ts';
import { logIn, openBrowser, openPage } from '../support/browser.ts';
import { budgetMs, traceTasks } from '../support/task-times.ts';

const perSecond = 1000;
const hourSeconds = 3600;
const count = perSecond * hourSeconds;
const batch = 1000;
const hosts = ['api.example.com', 'registry.example', 'docs.example.com', 'files.example.com'];
const rules = ['read', 'packages-read', 'docs', 'artifacts'];

function eventAt(at: number, startMs: number): AuditEvent {
  return event(`f${String(at).padStart(9, '0')}`, {
    time: new Date(startMs + at).toISOString(),
    host: hosts[at % hosts.length]!,
    rule: rules[at % rules.length]!,
    path: `/v1/items/${at}`,
    verdict: at % 50 === 0 ? 'deny' : 'allow',
    sessionId: `session-${at % 40}`,
    durationMs: at % 300,
    requestBytes: 0,
    responseBytes: at % 5000,
  });
}

/** An hour of events without a store that would have to hold them. */
function hourOf(
  startMs: number,
): Pick<Followers, 'join' | 'newestId' | 'found' | 'after' | 'more' | 'count'> & { sent: number } {
  return {
    sent: 0,
    count: 0,
    found: 0,
    newestId: 'first',
    join: () => Promise.resolve({ [Symbol.dispose]: () => undefined }),
    after(id) {
      const from = id?.startsWith('f') === true && id !== 'first' ? Number(id.slice(1)) + 1 : 0;
      const size = Math.min(batch, count - from);
      this.sent = Math.max(this.sent, from + size);
      return Promise.resolve(Array.from({ length: size }, (_, at) => eventAt(from + at, startMs)));
    },
    more: (_, signal) =>
      new Promise((resolve) => {
        signal.addEventListener('abort', () => resolve());
      }),
  };
}

async function measured(devtools: CDPSession): Promise<{ readonly heapMB: number; readonly nodes: number }> {
  await devtools.send('HeapProfiler.collectGarbage');
  const { metrics } = await devtools.send('Performance.getMetrics');
  const of = (name: string): number => metrics.find((one) => one.name === name)?.value ?? Number.NaN;
  return { heapMB: Math.round(of('JSHeapUsedSize') / 1e5) / 10, nodes: of('Nodes') };
}

test('after an hour of 1,000 events a second the page holds less than 150 MB and 3,000 elements', async () => {
  await using stack = new AsyncDisposableStack();
  const listen = { address: '127.0.0.1', port: 0, names: [] };
  const folder = fileURLToPath(new URL('../../../dist/console', import.meta.url));
  const scene = stack.use(await openAdminScene(new Map(), listen, folder));
  const browser = await openBrowser();
  stack.defer(() => browser.close());
  scene.nowMs = Date.now();
  const startMs = Date.now() - hourSeconds * 1000;
  await scene.append([event('first', { time: new Date(startMs - 1).toISOString() })]);
  const hour = hourOf(startMs);
  Object.assign(scene.parts, { followers: hour });
  const origin = `http://127.0.0.1:${scene.port}`;
  const { page, context, faults } = await openPage(browser, origin, {
    width: 1440,
    height: 900,
    theme: 'light',
  });
  await logIn(page, origin, await scene.token('viewer'));
  const devtools = await context.newCDPSession(page);
  await devtools.send('Performance.enable');
  const course: object[] = [];
  while (hour.sent < count) {
    await delay(5000);
    course.push({ sent: hour.sent, ...(await measured(devtools)) });
  }
  // The last one is there, so all were taken.
  await page
    .getByText(`/v1/items/${count - 1}`)
    .first()
    .waitFor({ timeout: 120_000 });
  const elements = Number(await page.evaluate(`document.querySelectorAll('*').length`));
  const end = await measured(devtools);
  // All that is held is looked at for each filter, and folded anew without one.
  const tasksOf = await traceTasks(devtools);
  for (const filter of ['verdict:deny', 'host:docs.example.com', '']) {
    await page.getByLabel('Filter').fill(filter);
    await page.locator('[role=grid][aria-busy=false]').waitFor();
    await page.getByRole('row').first().waitFor();
  }
  const tasks = await tasksOf();
  const told = { events: count, elements, ...end, tasks, course };
  console.log(JSON.stringify({ ...told, course: course.length }));
  const pictures = process.env['UPSTREAMPROXY_CONSOLE_PICTURES'];
  if (pictures !== undefined)
    await writeFile(join(pictures, 'hour.json'), `${JSON.stringify(told, undefined, 2)}\n`);
  assert.ok(end.heapMB > 1 && end.heapMB < 150, `${end.heapMB} MB`);
  assert.ok(tasks.tasks > 20 && tasks.mostMs < 2 * budgetMs, JSON.stringify(tasks));
  assert.ok(elements < 3000, `${elements} elements`);
  assert.deepEqual(faults, []);
});
