// The console of a run: its port, its link on the terminal, and the way to the browser of the user. Nothing depends on it.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { dirname, join } from 'node:path';
import type { JailReport } from '../../agent/jail/jail-plan.ts';
import { ProxyError } from '../../protocol/error.ts';
import { faultReason } from '../../protocol/fault-reason.ts';
import { writePrivateFile } from '../../system/private-file.ts';
import { freeConsolePort } from './console-port.ts';

export interface ConsoleChoice {
  readonly isByAddress: boolean;
  readonly opens: boolean;
}

export interface RunConsole extends ConsoleChoice {
  readonly port: number;
  readonly opener: Opener | undefined;
}

/** Undefined where none is asked for. Throws `usage`. */
export function readConsoleChoice(
  values: { readonly ui: boolean; readonly open: boolean; readonly 'ui-by-address': boolean },
  { hasOwnGateway, isJailed }: { readonly hasOwnGateway: boolean; readonly isJailed: boolean },
): ConsoleChoice | undefined {
  const { ui, open, 'ui-by-address': isByAddress } = values;
  if (!ui) {
    if (open || isByAddress) throw new ProxyError('usage', '--open and --ui-by-address are for --ui');
    return undefined;
  }
  if (!hasOwnGateway)
    throw new ProxyError(
      'usage',
      '--ui is for a gateway of its own; the console of --gateway is served there',
    );
  // It reads the browser and this terminal, so no log-in is anybody's alone.
  if (!isJailed) throw new ProxyError('usage', '--ui needs the jail; leave --isolate=off away');
  return { isByAddress, opens: open };
}

/** Before anything else is started: the port has to be known to the jail, and what opens a browser must inherit nothing of the agent's. */
export async function beginConsole(
  choice: ConsoleChoice | undefined,
  allowLocal: readonly number[],
): Promise<RunConsole | undefined> {
  if (choice === undefined) return undefined;
  const opener = choice.opens ? await startOpener() : undefined;
  return { ...choice, port: await freeConsolePort(allowLocal), opener };
}

/** Waits for the name of a file, and opens it in the browser of the user. */
interface Opener {
  readonly pipe: Socket;
}

/**
 * A process that is nobody's child: what it starts would else be taken for what the command left behind, and ended with it. A shell makes it, and
 * ends.
 */
async function startOpener(): Promise<Opener | undefined> {
  const program = process.platform === 'darwin' ? 'open' : 'xdg-open';
  const script =
    '(IFS= read -r file <&3 && [ -n "$file" ] && exec 3<&- && exec "$0" "$file") >/dev/null 2>&1 &';
  const child = spawn('/bin/sh', ['-c', script, program], {
    stdio: ['ignore', 'ignore', 'ignore', 'pipe'],
    detached: true,
  });
  try {
    await once(child, 'exit');
  } catch {
    return undefined;
  }
  // The fourth entry of stdio is a pipe, so it is there, a socket, and can be written.
  const pipe = child.stdio[3] as Socket;
  pipe.on('error', () => {});
  // Nobody waits for it: it ends with this process.
  pipe.unref();
  return { pipe };
}

export interface OpenWish {
  readonly link: string;
  /** A file in the folder of the run. */
  readonly beside: string;
  readonly report: JailReport | undefined;
}

/**
 * Hands the link to the browser by a file that only this user reads, in a folder that the jail hides: no argument and no variable of a program has
 * it. Gives a note where that cannot be.
 */
export async function openInBrowser(opener: Opener | undefined, wish: OpenWish): Promise<string> {
  const { link, beside, report } = wish;
  const isHidden = report?.layers.some(({ layer, held }) => layer === 'files' && held) === true;
  if (!isHidden) {
    opener?.pipe.end();
    return 'upstreamproxy: --open: the jail hides no files here, so open the link yourself\n';
  }
  const file = join(dirname(beside), 'console.html');
  try {
    if (opener === undefined) throw new Error('there is no shell');
    await writePrivateFile(file, redirectPage(link));
    opener.pipe.end(`${file}\n`);
    return '';
  } catch (error) {
    return `upstreamproxy: --open: ${faultReason(error)}; open the link yourself\n`;
  }
}

/** The link has letters of base64url, a host and a number alone. */
function redirectPage(link: string): string {
  return `<!doctype html><meta charset="utf-8"><meta name="referrer" content="no-referrer"><meta http-equiv="refresh" content="0;url=${link}"><title>upstreamproxy</title>\n`;
}

/** Printed before the command starts, which so can say nothing in its place. */
export function linkNote(link: string, report: JailReport | undefined): string {
  const isApart = report?.layers.some(({ layer, held }) => layer === 'network' && held) === true;
  const shared = isApart
    ? ''
    : 'upstreamproxy: the command has no network of its own, so it reaches the port of the console; it gets nothing there without the link\n';
  return `${shared}upstreamproxy: the console of this run, once and within 2 minutes: ${link}\n`;
}
