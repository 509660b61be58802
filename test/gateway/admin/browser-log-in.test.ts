// Log-in at a real identity provider (`oidc-provider`), by a browser that is a stand-in: cookies, redirects, what it says of a request.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defaultLimits } from '../../../src/protocol/limits.ts';
import { callbackPath } from '../../../src/gateway/admin/browser-log-in.ts';
import { logInPath } from '../../../src/api/admin/log-in-path.ts';
import { npmProvider, type TestPerson } from '../../support/identity-provider.ts';
import { adminHost, type LogInScene, openLogInScene, roles, typed } from './log-in-fixture.ts';
import type { Page, TestBrowser } from '../../support/log-in-browser.ts';

const ada: TestPerson = {
  sub: 'a-1',
  name: 'Ada',
  email: 'ada@example.com',
  groups: ['everybody', 'platform'],
};
const sameOrigin = { 'sec-fetch-site': 'same-origin' };

interface Who {
  readonly name: string;
  readonly role: string;
  readonly by: string;
  readonly csrf: string;
  readonly expires: string;
  readonly person: object;
  readonly sees?: object;
}

const ask = (
  scene: LogInScene,
  browser: TestBrowser,
  path: string,
  headers: Record<string, string> = sameOrigin,
) => browser.get(`${scene.origin}${path}`, { headers });

async function whoOf(scene: LogInScene, browser: TestBrowser): Promise<Who> {
  const page = await ask(scene, browser, '/v1/who');
  assert.equal(page.status, 200, page.text);
  return JSON.parse(page.text) as Who;
}

function write(
  scene: LogInScene,
  browser: TestBrowser,
  path: string,
  headers: Record<string, string>,
): Promise<Page> {
  const body = JSON.stringify({ name: 'ci', role: 'viewer', seconds: 3600 });
  const all = { 'content-type': 'application/json', ...headers };
  return browser.get(`${scene.origin}${path}`, { method: 'POST', headers: all, body });
}

const sessionName = (scene: LogInScene): string => `__Host-upstreamproxy-${scene.admin.port}`;
const logInName = (scene: LogInScene): string => `__Host-upstreamproxy-log-in-${scene.admin.port}`;

/** What the audit says of log-ins. */
const details = ({ admin }: LogInScene, action: string): readonly Readonly<Record<string, unknown>>[] =>
  admin.audit.events.filter((one) => one.action === action).map((one) => one.details ?? {});

for (const conformIdTokenClaims of [false, true])
  test(`a person logs in, with groups ${conformIdTokenClaims ? 'of userinfo' : 'in the token'}, and comes back to the view that they wanted`, async () => {
    await using scene = await openLogInScene({ provider: npmProvider(() => ada, { conformIdTokenClaims }) });
    const browser = scene.browser();
    const back = await scene.logIn(browser, '/live?q=verdict%3Adeny');
    assert.equal(back.status, 303, back.text);
    assert.equal(back.location, `${scene.origin}/live?q=verdict%3Adeny`);
    const [session = '', logIn = ''] = back.cookies;
    assert.match(
      session,
      /^__Host-upstreamproxy-\d+=upses_[\w-]{43}; Path=\/; Secure; HttpOnly; SameSite=Lax; Max-Age=43200$/,
    );
    assert.match(
      logIn,
      /^__Host-upstreamproxy-log-in-\d+=; Path=\/; Secure; HttpOnly; SameSite=Lax; Max-Age=0$/,
    );
    const { name, role, by, person } = await whoOf(scene, browser);
    const { sub, groups, ...shown } = ada;
    assert.deepEqual(person, { issuer: scene.issuer, subject: sub, ...shown });
    assert.deepEqual([name, role, by], [`a-1 of ${scene.issuer}`, 'administrator', 'oidc']);
    const [event] = details(scene, 'operator_logged_in');
    assert.deepEqual(
      { ...event, id: '' },
      {
        id: '',
        issuer: scene.issuer,
        subject: sub,
        ...shown,
        group: 'platform',
        groups,
        role: 'administrator',
      },
    );
    assert.equal(JSON.stringify(scene.admin.audit.events).includes('upses_'), false);
  });

test('a write by the cookie needs the origin, Sec-Fetch-Site and the token; a read needs Sec-Fetch-Site', async () => {
  await using scene = await openLogInScene({ provider: npmProvider(() => ada) });
  const browser = scene.browser();
  await scene.logIn(browser);
  const { csrf } = await whoOf(scene, browser);
  const own = { ...sameOrigin, origin: scene.origin, 'x-csrf-token': csrf };
  assert.equal((await write(scene, browser, '/v1/tokens', own)).status, 201);
  const without = (name: string): Record<string, string> =>
    Object.fromEntries(Object.entries(own).filter(([one]) => one !== name));
  for (const headers of [
    without('x-csrf-token'),
    without('origin'),
    without('sec-fetch-site'),
    { ...own, 'x-csrf-token': 'x' },
    { ...own, 'x-csrf-token': `${csrf.slice(0, -1)}${csrf.endsWith('A') ? 'B' : 'A'}` },
    { ...own, origin: 'https://evil.test' },
    { ...own, origin: `https://${adminHost}` },
    { ...own, origin: 'null' },
    { ...own, 'sec-fetch-site': 'same-site' },
    { ...own, 'sec-fetch-site': 'cross-site' },
    { ...own, 'sec-fetch-site': 'none' },
  ])
    for (const path of ['/v1/tokens', '/v1/policy/check', '/v1/log-out'])
      assert.equal((await write(scene, browser, path, headers)).status, 403, JSON.stringify([path, headers]));
  for (const site of ['none', 'same-site', 'cross-site'])
    assert.equal((await ask(scene, browser, '/v1/who', { 'sec-fetch-site': site })).status, 403, site);
  assert.equal((await ask(scene, browser, '/v1/who', {})).status, 403);
  assert.equal(details(scene, 'operator_token_made').length, 1);
});

test('the cookie is no token, and a token no cookie; of two cookies none counts', async () => {
  await using scene = await openLogInScene({ provider: npmProvider(() => ada) });
  const browser = scene.browser();
  await scene.logIn(browser);
  const secret = browser.cookie(adminHost, sessionName(scene)) ?? '';
  const stranger = scene.browser();
  const status = async (headers: Record<string, string>) =>
    (await ask(scene, stranger, '/v1/who', { ...sameOrigin, ...headers })).status;
  assert.equal(await status({ cookie: `${sessionName(scene)}=${secret}` }), 200);
  assert.equal(await status({ authorization: `Bearer ${secret}` }), 401);
  const token = await scene.admin.token('administrator');
  assert.equal(await status({ authorization: `Bearer ${token}` }), 200);
  assert.equal(await status({ cookie: `${sessionName(scene)}=${token}` }), 401);
  assert.equal(await status({ cookie: `${sessionName(scene)}=x; ${sessionName(scene)}=${secret}` }), 401);
  assert.equal(await status({ cookie: `upstreamproxy-${scene.admin.port}=${secret}` }), 401);
  // At the socket there is no browser.
  const atSocket = await scene.admin.call('GET', '/v1/who', {
    headers: { cookie: `${sessionName(scene)}=${secret}`, ...sameOrigin },
  });
  assert.notEqual(atSocket.status, 200);
});

test('the first role whose group somebody is in counts, with its bound; who is in none is told so, and the audit', async () => {
  let person: TestPerson = { sub: 'b-1', groups: ['everybody', 'team-red', 'TEAM-BLUE'] };
  await using scene = await openLogInScene({ provider: npmProvider(() => person) });
  const bob = scene.browser();
  await scene.logIn(bob);
  const { role, sees } = await whoOf(scene, bob);
  assert.deepEqual([role, sees], ['approver', { team: 'red' }]);
  assert.equal((await ask(scene, bob, '/v1/sessions/red')).status, 200);
  assert.equal((await ask(scene, bob, '/v1/sessions/blue')).status, 404);
  person = { sub: 'c-1', name: 'Carol', groups: ['Platform', 'platform ', 'plat*'] };
  const carol = scene.browser();
  const back = await scene.logIn(carol);
  assert.equal(back.status, 403);
  assert.match(back.text, /none of your groups has a role here/);
  assert.equal((await ask(scene, carol, '/v1/who')).status, 401);
  assert.deepEqual(details(scene, 'operator_log_in_failed'), [
    { issuer: scene.issuer, subject: 'c-1', name: 'Carol', groups: person.groups },
  ]);
});

test('a log-in gives a new session, whatever the browser had before, and ends the one of before', async () => {
  await using scene = await openLogInScene({ provider: npmProvider(() => ada) });
  const browser = scene.browser();
  const planted = `upses_${'A'.repeat(43)}`;
  browser.jar.set(adminHost, new Map([[sessionName(scene), planted]]));
  await scene.logIn(browser);
  const first = browser.cookie(adminHost, sessionName(scene));
  assert.notEqual(first, planted);
  await scene.logIn(browser);
  const second = browser.cookie(adminHost, sessionName(scene));
  assert.notEqual(second, first);
  assert.equal((await ask(scene, browser, '/v1/who')).status, 200);
  const before = scene.browser();
  before.jar.set(adminHost, new Map([[sessionName(scene), first ?? '']]));
  assert.equal((await ask(scene, before, '/v1/who')).status, 401);
  // Of one person so many live at once; the oldest makes room.
  const others: TestBrowser[] = [];
  for (let i = 0; i < defaultLimits.operatorSessionsPerPersonMax; i += 1) {
    scene.admin.nowMs += defaultLimits.logInIntervalMs;
    others.push(scene.browser());
    await scene.logIn(others[i] ?? browser);
  }
  assert.equal((await ask(scene, browser, '/v1/who')).status, 401);
  assert.equal((await ask(scene, others[0] ?? browser, '/v1/who')).status, 200);
});

test('logging out ends the session at once, clears the cookie and leads to the log-out of the provider', async () => {
  await using scene = await openLogInScene({ provider: npmProvider(() => ada) });
  const browser = scene.browser();
  await scene.logIn(browser);
  const secret = browser.cookie(adminHost, sessionName(scene)) ?? '';
  const { csrf } = await whoOf(scene, browser);
  const headers = { ...sameOrigin, origin: scene.origin, 'x-csrf-token': csrf };
  const out = await browser.get(`${scene.origin}/v1/log-out`, { method: 'POST', headers });
  assert.equal(out.status, 200, out.text);
  assert.equal(browser.cookie(adminHost, sessionName(scene)), undefined);
  const { providerLogOut } = JSON.parse(out.text) as { readonly providerLogOut: string };
  const url = new URL(providerLogOut);
  assert.equal(url.origin, scene.issuer);
  assert.equal(url.searchParams.get('post_logout_redirect_uri'), `${scene.origin}/`);
  assert.equal((await browser.get(providerLogOut)).status, 200);
  browser.jar.set(adminHost, new Map([[sessionName(scene), secret]]));
  const after = await ask(scene, browser, '/v1/who');
  assert.equal(after.status, 401);
  assert.match(after.text, /the session has ended: it was ended/);
  assert.equal(browser.cookie(adminHost, sessionName(scene)), undefined, 'the browser forgets it');
  assert.equal(details(scene, 'operator_logged_out').length, 1);
});

test('a session ends when nobody uses it, when its time is over, and when an administrator ends it', async () => {
  await using scene = await openLogInScene({ provider: npmProvider(() => ada) });
  const { operatorIdleMs, operatorSessionMs } = defaultLimits;
  const browser = scene.browser();
  await scene.logIn(browser);
  const status = async (headers: Record<string, string> = {}) =>
    (await ask(scene, browser, '/v1/who', { ...sameOrigin, ...headers })).status;
  // Used each half of it, it lives on; looks of a page at which nobody is do not count.
  for (let i = 0; i < 4; i += 1) {
    scene.admin.nowMs += operatorIdleMs / 2;
    assert.equal(await status(), 200);
  }
  scene.admin.nowMs += operatorIdleMs / 2;
  assert.equal(await status({ 'x-unattended': '1' }), 200);
  scene.admin.nowMs += operatorIdleMs / 2;
  assert.equal(await status({ 'x-unattended': '1' }), 401);
  const second = scene.browser();
  await scene.logIn(second);
  const { expires } = await whoOf(scene, second);
  assert.equal(Date.parse(expires), scene.admin.nowMs + operatorSessionMs);
  for (let used = 0; used < operatorSessionMs - operatorIdleMs / 2; used += operatorIdleMs / 2) {
    scene.admin.nowMs += operatorIdleMs / 2;
    await ask(scene, second, '/v1/who');
  }
  scene.admin.nowMs += operatorIdleMs / 2;
  assert.match((await ask(scene, second, '/v1/who')).text, /its time is over/);
  const third = scene.browser();
  await scene.logIn(third);
  const token = await scene.admin.token('administrator');
  const tokens = await scene.admin.call('GET', '/v1/tokens', { token });
  const { items } = tokens.json as {
    readonly items: readonly { readonly id: string; readonly person?: object }[];
  };
  const id = items.find(({ person }) => person !== undefined)?.id ?? '';
  assert.equal((await scene.admin.call('DELETE', `/v1/tokens/${id}`, { token })).status, 200);
  assert.equal((await ask(scene, third, '/v1/who')).status, 401);
});

test('the way back works once, in the browser that began it, for the log-in that it began last, and in time', async () => {
  await using scene = await openLogInScene({ provider: npmProvider(() => ada) });
  const browser = scene.browser();
  const { url } = await scene.begin(browser);
  const cookie = browser.cookie(adminHost, logInName(scene)) ?? '';
  const comeBack = (one: TestBrowser, to = url) =>
    one.get(to, { headers: { 'sec-fetch-site': 'cross-site' } });
  // Somebody else's link, in the browser of a victim: without the cookie, and with the cookie of another log-in.
  const victim = scene.browser();
  assert.match((await comeBack(victim)).text, /begun in another browser/);
  await scene.begin(victim);
  assert.match((await comeBack(victim)).text, /another log-in than was begun last/);
  const forged = new URL(url);
  forged.searchParams.set('state', 'x');
  assert.equal((await comeBack(browser, forged.href)).status, 401);
  browser.jar.get(adminHost)?.set(logInName(scene), cookie);
  assert.equal((await comeBack(browser)).status, 303);
  const session = browser.cookie(adminHost, sessionName(scene));
  browser.jar.get(adminHost)?.set(logInName(scene), cookie);
  const again = await comeBack(browser);
  assert.match(again.text, /was used already/);
  assert.equal(browser.cookie(adminHost, logInName(scene)), undefined);
  assert.equal(browser.cookie(adminHost, sessionName(scene)), session, 'nothing changed');
  const late = scene.browser();
  const slow = await scene.begin(late);
  scene.admin.nowMs += defaultLimits.logInLifetimeMs;
  assert.match((await comeBack(late, slow.url)).text, /took too long/);
  assert.equal(details(scene, 'operator_logged_in').length, 1);
  assert.equal(details(scene, 'operator_log_in_failed').length, 5);
});

test('a code that was used is refused by the provider, whatever the gateway remembers', async () => {
  await using scene = await openLogInScene({ provider: npmProvider(() => ada) });
  const browser = scene.browser();
  const { url } = await scene.begin(browser);
  const code = new URL(url).searchParams.get('code') ?? '';
  assert.equal((await browser.get(url)).status, 303);
  const second = await scene.begin(browser);
  const stolen = new URL(second.url);
  stolen.searchParams.set('code', code);
  const page = await browser.get(stolen.href);
  assert.equal(page.status, 401);
  assert.match(page.text, /The identity provider did not log you in: it says invalid_grant\./);
});

test('a log-in leads back to a page of the console, and nowhere else', async () => {
  await using scene = await openLogInScene({ provider: npmProvider(() => ada) });
  for (const [to, place] of [
    ['/sessions/a-1?x=y', '/sessions/a-1?x=y'],
    ['/exchange/1', '/exchange/1'],
    ['https://evil.test/', '/'],
    ['//evil.test/live', '/'],
    ['/\\evil.test/live', '/'],
    ['/\t/evil.test', '/'],
    ['/../..//evil.test', '/'],
    ['javascript:alert(1)', '/'],
    ['/v1/tokens', '/'],
    [`${logInPath}?to=/`, '/'],
    ['/live\r\nset-cookie: a=b', '/'],
    [`/live?q=${'x'.repeat(2_000)}`, '/'],
    ['', '/'],
  ] as const) {
    scene.admin.nowMs += defaultLimits.logInIntervalMs;
    const back = await scene.logIn(scene.browser(), to);
    assert.equal(back.location, `${scene.origin}${place}`, to);
    assert.equal(back.cookies.length, 2, to);
  }
});

test('a log-in begins at the console or by hand, so many times from one address', async () => {
  await using scene = await openLogInScene({ provider: npmProvider(() => ada) });
  const browser = scene.browser();
  const begin = (headers: Record<string, string>) => browser.get(`${scene.origin}${logInPath}`, { headers });
  assert.equal((await begin({})).status, 403);
  for (const site of ['cross-site', 'same-site'])
    assert.equal((await begin({ 'sec-fetch-site': site })).status, 403);
  for (let i = 0; i < defaultLimits.logInsPerSourceMax; i += 1)
    assert.equal((await begin(typed)).status, 303);
  const page = await begin(typed);
  assert.deepEqual([page.status, page.headers['retry-after']], [429, '6']);
  assert.match(page.text, /logInsPerSourceMax/);
  assert.deepEqual(scene.admin.limits, ['logInsPerSourceMax']);
  scene.admin.nowMs += defaultLimits.logInIntervalMs;
  assert.equal((await begin(sameOrigin)).status, 303);
  assert.equal((await begin(sameOrigin)).status, 429);
  assert.equal(
    (await browser.get(`${scene.origin}${logInPath}`, { method: 'POST', headers: typed })).status,
    405,
  );
  assert.equal(
    (await browser.get(`${scene.origin}${callbackPath}`, { method: 'POST', headers: typed })).status,
    405,
  );
});

test('a provider that is away is one page that says so; a token works, and an administrator token is an alarm, once an hour', async () => {
  let isAway = true;
  const npm = npmProvider(() => ada);
  await using scene = await openLogInScene({
    provider: (issuer, origin) => {
      const respond = npm(issuer, origin);
      return (request, response) => {
        if (isAway) response.writeHead(503).end('<script>alert(1)</script>');
        else respond(request, response);
      };
    },
  });
  const browser = scene.browser();
  const page = await browser.get(`${scene.origin}${logInPath}?to=/live`, { headers: typed });
  assert.equal(page.status, 503);
  assert.match(page.text, /The identity provider cannot be used: it responds with status 503\./);
  assert.match(page.text, /href="\/log-in\/oidc\?to=%2Flive"/);
  assert.doesNotMatch(page.text, /<script/);
  assert.match(String(page.headers['content-security-policy']), /default-src 'none'; style-src 'sha256-/);
  const { audit } = scene.admin;
  const alarms = () => audit.events.filter(({ kind }) => kind === 'alarm');
  const use = async (token: string) =>
    assert.equal((await scene.admin.call('GET', '/v1/who', { token })).status, 200);
  await use(await scene.admin.token('operator'));
  assert.deepEqual(alarms(), []);
  const token = await scene.admin.token('administrator', { id: 'break glass' });
  await use(token);
  await use(token);
  assert.deepEqual(
    alarms().map(({ action, verdict, details: said }) => [action, verdict, said?.['id']]),
    [['administrator_token_used', 'info', 'break glass']],
  );
  scene.admin.nowMs += defaultLimits.administratorUseMs - 1;
  await use(await scene.admin.token('administrator', { id: 'other' }));
  assert.equal(alarms().length, 2);
  // It is asked again, and is there.
  isAway = false;
  scene.admin.nowMs += 5_000;
  assert.equal((await scene.logIn(browser)).status, 303);
});

test('who is not logged in is told how to; nobody learns more', async () => {
  await using scene = await openLogInScene({ provider: npmProvider(() => ada) });
  const ways = await ask(scene, scene.browser(), '/v1/log-in');
  assert.deepEqual(JSON.parse(ways.text), { provider: scene.issuer.slice('https://'.length) });
  assert.equal(
    (await ask(scene, scene.browser(), '/v1/log-in', { 'sec-fetch-site': 'cross-site' })).status,
    403,
  );
  assert.equal(roles.length, 3);
});
