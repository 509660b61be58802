// A shell that a guide's commands are typed into, one after the other, as into a terminal.

import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';

import { patienceMs } from './patience.ts';
import { waitUntil } from './program.ts';

export interface FinishedCommand {
  readonly output: string;
  readonly code: number;
  /** When its end was seen, of `performance.now()`. */
  readonly endedMs: number;
}

/** One `bash` that reads its commands from a pipe; what they print on either stream is one text. */
export class GuideTerminal implements AsyncDisposable {
  readonly #shell: ChildProcess;
  #output = '';
  #commands = 0;
  #end: FinishedCommand | undefined;

  constructor(options: { readonly cwd: string; readonly env: NodeJS.ProcessEnv }) {
    // A group of its own, so that what runs in it can be ended with it.
    const shell = spawn('bash', ['--noprofile', '--norc'], { ...options, detached: true });
    this.#shell = shell;
    for (const stream of [shell.stdout, shell.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => this.#printed(text));
    shell.stdin.on('error', () => undefined);
    shell.stdin.write('exec 2>&1\n');
  }

  #printed(text: string): void {
    this.#output += text;
    const found = new RegExp(`\\n${this.#mark} (\\d+)\\n`).exec(this.#output);
    if (found === null || this.#end !== undefined) return;
    const output = this.#output.slice(0, found.index);
    this.#end = { output, code: Number(found[1]), endedMs: performance.now() };
  }

  get #mark(): string {
    return `end-of-command-${this.#commands}`;
  }

  /** What the last command printed so far. */
  get output(): string {
    return this.#end?.output ?? this.#output;
  }

  /** Types a command; the one before it must have ended. */
  start(command: string): void {
    this.#commands += 1;
    this.#output = '';
    this.#end = undefined;
    // A shell that the command starts reads the line behind it, and tells that it is there.
    this.#shell.stdin?.write(`${command}\nprintf '\\n%s %d\\n' ${this.#mark} $?\n`);
  }

  /** The end of the last command. Throws after the deadline, or if the shell ended, with what was printed. */
  async finished(timeoutMs: number): Promise<FinishedCommand> {
    const isOver = (): boolean => this.#end !== undefined || this.#shell.exitCode !== null;
    await waitUntil('the end of a command', isOver, timeoutMs).catch((error: unknown) => {
      throw new Error(`${String(error)}\n${this.#output}`);
    });
    if (this.#end === undefined) throw new Error(`the shell ended:\n${this.#output}`);
    return this.#end;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { pid, exitCode, signalCode } = this.#shell;
    if (exitCode !== null || signalCode !== null || pid === undefined) return;
    const ended = once(this.#shell, 'exit');
    this.#shell.stdin?.end();
    process.kill(-pid, 'SIGTERM');
    const timer = setTimeout(() => process.kill(-pid, 'SIGKILL'), patienceMs);
    await ended;
    clearTimeout(timer);
  }
}
