// Does what a guide says: writes its files, types its commands, and compares what they print.

import { appendFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

import { GuideTerminal, type FinishedCommand } from './guide-terminal.ts';
import {
  GuideOutput,
  type Guide,
  type GuideCommand,
  type GuideFile,
  type GuideTerminalName,
} from './guide.ts';
import { patienceMs } from './patience.ts';
import { waitUntil } from './program.ts';

export interface GuideRunOptions {
  readonly directory: string;
  readonly environment: NodeJS.ProcessEnv;
  /** Words of the guide that are others on this machine, such as ports. */
  readonly replacements: Readonly<Record<string, string>>;
  /** What this machine adds to files, by name. */
  readonly additions: Readonly<Record<string, string>>;
}

/** What `run` says of layers that the machine lacks, of its sockets, and of what a CI system sets: not the guide's matter. */
const ofThisMachine =
  /^upstreamproxy: (?:the jail is without|secrets of the home: hidden: \/|the command gets variables that look like secrets: ACTIONS_).*\n?/gm;

/** Throws at the first thing that is not as shown. Gives the end of each command, by the command as the guide has it. */
export async function runGuide(
  guide: Guide,
  options: GuideRunOptions,
): Promise<ReadonlyMap<string, FinishedCommand>> {
  await using run = new GuideRun(guide, options);
  for (const step of guide.steps) {
    if (step.kind === 'file') await run.write(step);
    else await run.type(step);
  }
  await run.settle();
  return run.ends;
}

class GuideRun implements AsyncDisposable {
  readonly #options: GuideRunOptions;
  readonly #output: GuideOutput;
  readonly #terminals = new Map<GuideTerminalName, GuideTerminal>();
  /** Commands that run on, by their terminal. */
  readonly #running = new Map<GuideTerminalName, GuideCommand>();
  #gatewaySaid = 0;
  readonly ends = new Map<string, FinishedCommand>();

  constructor(guide: Guide, options: GuideRunOptions) {
    this.#options = options;
    this.#output = new GuideOutput(guide.varying);
  }

  async write({ name, text, append }: GuideFile): Promise<void> {
    const path = join(this.#options.directory, name);
    const all = `${this.#replaced(text)}${this.#options.additions[name] ?? ''}`;
    await (append ? appendFile(path, all) : writeFile(path, all));
  }

  async type(step: GuideCommand): Promise<void> {
    if (step.terminal === 'gateway') return await this.#typeGateway(step);
    await this.#settle(step.terminal);
    const command = this.#output.inThisRun(this.#replaced(step.command));
    const terminal = this.#terminal(step.terminal);
    if (step.runsOn) {
      this.#running.set(step.terminal, step);
      return terminal.start(command);
    }
    // The time that the guide tells is for its readers; the commands alone may take longer on a busy machine.
    const deadline = performance.now() + (step.withinMs === 0 ? 0 : patienceMs);
    for (;;) {
      terminal.start(command);
      const end = await terminal.finished(2 * patienceMs);
      const wrong = this.#wrong(step, end);
      this.ends.set(step.command, end);
      if (wrong === undefined) return;
      if (performance.now() > deadline) throw new Error(`${step.terminal}: ${command}\n${wrong}`);
      await delay(100);
    }
  }

  /** Its command goes on to the end of the guide, or until another command has ended it; what is shown has to come. */
  async #typeGateway(step: GuideCommand): Promise<void> {
    const isFirst = !this.#terminals.has('gateway');
    const terminal = this.#terminal('gateway');
    if (step.command !== '') {
      if (!isFirst) await terminal.finished(2 * patienceMs);
      this.#gatewaySaid = 0;
      terminal.start(this.#replaced(step.command));
    }
    const shown = step.output.map((line) => this.#replaced(line));
    let wrong: string | undefined;
    const isSaid = (): boolean => {
      wrong = this.#output.mismatch(shown, terminal.output.slice(this.#gatewaySaid), true);
      return wrong === undefined;
    };
    await waitUntil('what the gateway says', isSaid).catch((error: unknown) => {
      throw new Error(`${String(error)}\n${wrong}`);
    });
    this.#gatewaySaid = terminal.output.length;
  }

  /** The ends of all commands that ran on. */
  async settle(): Promise<void> {
    for (const name of this.#running.keys()) await this.#settle(name);
  }

  async #settle(name: GuideTerminalName): Promise<void> {
    const step = this.#running.get(name);
    if (step === undefined) return;
    this.#running.delete(name);
    const end = await this.#terminal(name).finished(2 * patienceMs);
    const wrong = this.#wrong(step, end);
    if (wrong !== undefined) throw new Error(`${name}: ${step.command}\n${wrong}`);
    this.ends.set(step.command, end);
  }

  #wrong({ output }: GuideCommand, { output: printed, code }: FinishedCommand): string | undefined {
    const shown = output.map((line) => this.#replaced(line));
    if (shown.length === 0 && code !== 0) return `ended with ${code}:\n${printed}`;
    return this.#output.mismatch(shown, printed.replaceAll(ofThisMachine, ''));
  }

  #replaced(text: string): string {
    const { replacements } = this.#options;
    return Object.entries(replacements).reduce((so, [word, other]) => so.replaceAll(word, other), text);
  }

  #terminal(name: GuideTerminalName): GuideTerminal {
    const { directory: cwd, environment: env } = this.#options;
    const terminal = this.#terminals.get(name) ?? new GuideTerminal({ cwd, env });
    this.#terminals.set(name, terminal);
    return terminal;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // The container first: its session ends while its gateway is there.
    for (const name of ['container', 'operator', 'gateway'] as const)
      await this.#terminals.get(name)?.[Symbol.asyncDispose]();
  }
}
