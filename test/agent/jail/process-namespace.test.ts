// Namespaces of processes and queues, by the kernel: nothing that the command started outlives its agent or itself.

import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { captureObstacle } from '../../support/capture-obstacle.ts';
import { waitUntil } from '../../support/program.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';

const skip = captureObstacle();
const bin = fileURLToPath(new URL('../../../node_modules/.bin', import.meta.url));
const compileCache = new URL('../../support/compile-cache.mjs', import.meta.url).href;
/** The agent and its helper as children, so that the runner's own runtime does not matter. */
const runtimes = {
  node: [join(bin, 'node'), '--disable-warning=ExperimentalWarning', `--import=${compileCache}`],
  bun: [join(bin, 'bun')],
} as const;
type Runtime = keyof typeof runtimes;
const script = fileURLToPath(new URL('../support/jail-session-script.ts', import.meta.url));

interface Session extends AsyncDisposable {
  readonly agent: ChildProcess;
  readonly said: Promise<string>;
  /** Processes of the command, by a word that stands in their command lines. */
  left(): readonly number[];
}

/** An agent with a jail, whose command is a script of the shell; `MARK` in it stands for a word of its own. */
async function session(
  command: string,
  { runtime = 'node', layers = [] }: { readonly runtime?: Runtime; readonly layers?: readonly string[] } = {},
): Promise<Session> {
  await using stack = new AsyncDisposableStack();
  const { path } = stack.use(await temporaryDirectory());
  const mark = path.replaceAll('/', '-');
  const [file, ...own] = runtimes[runtime];
  const agent = spawn(
    file,
    [
      ...own,
      script,
      join(path, 'token'),
      command.replaceAll('MARK', mark).replaceAll('$FOLDER', path),
      ...layers,
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const said = text(agent.stdout);
  stack.defer(() => void agent.kill('SIGKILL'));
  const owned = stack.move();
  return {
    agent,
    said,
    left: () =>
      readdirSync('/proc')
        .filter((name) => /^\d+$/.test(name) && Number(name) !== agent.pid)
        .filter((name) => commandLine(name).includes(mark))
        .map(Number),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

function commandLine(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'latin1');
  } catch {
    // It has ended.
    return '';
  }
}

/** Processes that ignore SIGTERM, in sessions of their own, each started by the one before. */
const chain = (length: number): string =>
  `cat > $FOLDER/chain <<'END'
trap "" TERM HUP; [ $1 -gt 0 ] && setsid sh $0 $(($1 - 1)) MARK & sleep 300; :
END
sh $FOLDER/chain ${length} MARK &`;

for (const runtime of ['node', 'bun'] as const) {
  describe(`a command with its own namespace of processes under ${runtime}`, { skip }, () => {
    test('sees its own processes alone, and is not the first of them', async () => {
      await using run = await session('echo $$; ls /proc | grep -E "^[0-9]+$" | sort -n | tr "\\n" " "', {
        runtime,
      });
      const [pid, seen = ''] = (await run.said).split('\n');
      assert.notEqual(pid, '1');
      assert.ok(seen.split(' ').filter(Boolean).length < 10, seen);
      assert.ok(seen.startsWith('1 '));
    });

    test('ends by its own code and by its own signal', async () => {
      for (const [command, end] of [
        ['exit 7', '7 null'],
        ['kill -TERM $$', 'null SIGTERM'],
        ['kill -KILL $$', 'null SIGKILL'],
      ] as const) {
        await using run = await session(command, { runtime });
        assert.ok((await run.said).endsWith(`end ${end}\n`), await run.said);
      }
    });

    test('leaves no zombie of what its children leave', async () => {
      await using run = await session(
        'for i in 1 2 3 4 5 6 7 8; do sh -c "sleep 0.05 &"; done; sleep 0.5; grep -h "State:.Z" /proc/[0-9]*/status; echo seen',
        { runtime },
      );
      assert.match(await run.said, /^seen\n/);
    });

    test('takes all that it started with it, chains that ignore SIGTERM too', async () => {
      await using run = await session(`${chain(70)}\nsleep 0.2; echo started`, { runtime });
      await once(run.agent, 'exit');
      assert.match(await run.said, /^started\nend 0 null\n/);
      assert.deepEqual(run.left(), []);
    });

    test('ends with its agent when that is killed, however it calls itself', async () => {
      await using run = await session(
        `${chain(20)}\nbash -c 'exec -a upstreamproxy-agent-MARK sleep 300' & exec sh -c 'sleep 300; :' MARK`,
        { runtime },
      );
      await waitUntil('the command runs', () => run.left().length > 3);
      run.agent.kill('SIGKILL');
      await once(run.agent, 'exit');
      await waitUntil('nothing of it is left', () => run.left().length === 0);
    });

    test('cannot end its init, and so not its own end', async () => {
      await using run = await session('kill -9 1; kill -STOP 1; setsid sleep 300 & echo on', { runtime });
      assert.match(await run.said, /^on\nend 0 null\n/);
    });
  });
}

describe('a command with its own queues', { skip: skip === false && findIpc() }, () => {
  test('has no message queue, semaphore or shared memory of outside', async () => {
    const id = spawn('ipcmk', ['-Q', '-S', '1', '-M', '64'], { stdio: ['ignore', 'pipe', 'inherit'] });
    const made = await text(id.stdout);
    try {
      await using run = await session('ipcs | grep -c 0x; echo seen');
      assert.match(await run.said, /^0\nseen\n/);
      // Without the layer they are there.
      await using control = await session('ipcs | grep -c 0x; echo seen', { layers: ['processes'] });
      assert.match(await control.said, /^[1-9]\d*\nseen\n/);
    } finally {
      const options: Readonly<Record<string, string>> = { Shared: '-m', Message: '-q', Semaphore: '-s' };
      for (const [, kind = '', number = ''] of made.matchAll(/^(\w+).*: (\d+)$/gm))
        spawn('ipcrm', [options[kind] ?? '', number], { stdio: 'ignore' });
    }
  });
});

function findIpc(): string | false {
  try {
    readFileSync('/usr/bin/ipcmk');
    return false;
  } catch {
    return 'there is no ipcmk';
  }
}
