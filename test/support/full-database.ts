// In a mount namespace of its own: PostgreSQL databases on a small disk that is filled, and what the store says. Prints one object of JSON.

import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chownSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { moveStore } from '../../src/store/move-store.ts';
import { openStore } from '../../src/store/open-store.ts';
import { ProxyError } from '../../src/protocol/error.ts';
import { auditEntry } from '../conformance/audit.ts';
import { newSession } from '../conformance/new-session.ts';
import { startPostgres } from './postgres-server.ts';
import { temporaryDirectory } from './temporary-directory.ts';

const bounds = { enrolmentsPerTokenMax: 10 };
const ballast = 'ballast';

await using stack = new AsyncDisposableStack();
const { path } = stack.use(await temporaryDirectory());
spawnSync('chmod', ['711', path]);
const disk = join(path, 'disk');
mkdirSync(disk);
const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=64m,mode=777', 'tmpfs', disk], {
  encoding: 'utf8',
});
if (mounted.status !== 0) throw new Error(mounted.stderr);
stack.defer(() => void spawnSync('umount', [disk]));
const space = join(disk, 'space');
mkdirSync(space, { mode: 0o700 });
if (process.getuid?.() === 0) chownSync(space, 65_534, 65_534);
const server = stack.use(await startPostgres());
// The log of the server has a disk of its own: without room for that it ends.
await server.run(`CREATE TABLESPACE small LOCATION '${space}'`);
for (const name of ['fresh', 'used', 'target']) await server.run(`CREATE DATABASE ${name} TABLESPACE small`);
await (await openStore(server.url('used'))).close();
await (await openStore(server.url('target'))).close();
// The catalogs have room for the tables of a move: it is the state that finds none.
for (const name of ['a', 'b', 'c'])
  await server.run(`CREATE TABLE room_${name} (one text, two text, three text, four text)`, 'target');
for (const name of ['a', 'b', 'c']) await server.run(`DROP TABLE room_${name}`, 'target');
await server.run('VACUUM', 'target');
const from = join(path, 'state', 'state.db');
{
  await using file = await openStore(`sqlite:${from}`);
  await file.sessions.enrol(
    newSession('moved', { claims: { wide: randomBytes(1 << 20).toString('hex') } }),
    bounds,
  );
}

function fill(): void {
  for (let size = 1 << 20; size >= 1; size = Math.floor(size / 2))
    for (let number = 0; ; number += 1) {
      try {
        writeFileSync(join(disk, `${ballast}-${size}-${number}`), Buffer.alloc(size));
      } catch {
        break;
      }
    }
}

async function outcome(act: () => Promise<unknown>): Promise<string> {
  try {
    await act();
    return 'it was done';
  } catch (error) {
    return error instanceof ProxyError ? `${error.code} ${error.message}` : String(error);
  }
}

/** Nothing that is worth a page finds room in those that are there. */
const wide = { claims: { wide: Array.from({ length: 60_000 }, (_, at) => at.toString(36)).join('') } };
const used = await openStore(server.url('used'));
// A database that nobody has used since its tables changed writes a file at the first connection.
for (const name of ['fresh', 'target']) await server.run('SELECT 1', name);
const reserve = join(disk, 'reserve');
writeFileSync(reserve, Buffer.alloc(512 << 10));
fill();
const migration = await outcome(() => openStore(server.url('fresh')));
const enrolment = await outcome(() => used.sessions.enrol(newSession('a', wide), bounds));
const entries = Array.from({ length: 500 }, (_, at) =>
  auditEntry(`e${at}`, {
    json: JSON.stringify({ v: 1, id: `e${at}`, message: wide.claims.wide.slice(at * 100, at * 100 + 1500) }),
  }),
);
const audit = await outcome(() => used.audit.append(entries));
// A move marks its target first, which takes pages.
rmSync(reserve);
const moved = await outcome(() => moveStore({ from, to: server.url('target'), nowMs: 1 }));
const isMarked = await outcome(() => openStore(`sqlite:${from}`)).then((text) =>
  text.includes('was moved to'),
);
spawnSync('sh', ['-c', `rm -f ${disk}/${ballast}-*`]);
const tables = Number(
  (await server.run(`SELECT count(*) FROM pg_tables WHERE schemaname = 'public'`, 'fresh')).rows[0]?.count,
);
const enrolled = await used.sessions.enrol(newSession('a', wide), bounds);
await used.audit.append(entries);
const appended = (await used.audit.held()).events === 500 ? 'appended' : 'lost';
await moveStore({ from, to: server.url('target'), nowMs: 1 });
const target = await openStore(server.url('target'));
const count = (await target.sessions.list({ limit: 9 })).length;
await (await openStore(server.url('fresh'))).close();
await Promise.all([used.close(), target.close()]);
const later = `${enrolled.kind}, ${appended}, moved ${count}`;
process.stdout.write(JSON.stringify({ migration, tables, enrolment, audit, moved, isMarked, later }));
