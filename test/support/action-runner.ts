// A runner of GitHub Actions as far as an action meets it: the files and variables of each step, the lines that are orders, the post steps,
// and how a job is cancelled (actions/runner: FileCommandManager, ActionCommandManager, ProcessInvoker).

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { nodeOfMajor } from './old-nodes.ts';
import { patienceMs } from './patience.ts';

const actionRoot = fileURLToPath(new URL('../../', import.meta.url));
/** Variables of steps that the runner refuses to set. */
const refusedVariables = /^(?:NODE_OPTIONS|GITHUB_.*|RUNNER_.*)$/i;

export interface Annotation {
  readonly level: 'error' | 'warning' | 'notice';
  readonly text: string;
  readonly properties: Readonly<Record<string, string>>;
}

export interface StepResult {
  readonly code: number;
  /** What people see, with what is masked replaced. */
  readonly log: string;
  readonly annotations: readonly Annotation[];
  readonly summary: string;
  /** Names of other orders that were obeyed. */
  readonly orders: readonly string[];
}

export interface StartedStep {
  /** Of the process of the step. */
  readonly pid: number;
  /** All that it wrote so far. */
  said(): string;
  readonly ended: Promise<StepResult>;
  /** As a job is cancelled: SIGINT, and after `intMs` SIGTERM, after `termMs` more SIGKILL. */
  cancel(intMs?: number, termMs?: number): void;
}

type Inputs = Readonly<Record<string, string>>;

interface ActionStep {
  readonly inputs: Inputs;
  readonly state: Readonly<Record<string, string>>;
}

const stepFiles = {
  GITHUB_ENV: 'set_env',
  GITHUB_PATH: 'add_path',
  GITHUB_OUTPUT: 'set_output',
  GITHUB_STATE: 'save_state',
  GITHUB_STEP_SUMMARY: 'step_summary',
} as const;

/** One job. `base`: the machine's environment. */
export class ActionRunner implements AsyncDisposable {
  readonly workspace: string;
  readonly temporary: string;
  readonly #commands: string;
  /** The machine's environment. */
  readonly base: NodeJS.ProcessEnv;
  /** What steps have set for those that follow. */
  readonly environment: Record<string, string> = {};
  readonly #actions: ActionStep[] = [];
  readonly masks: string[] = [];
  #steps = 0;

  private constructor(directory: string, base: NodeJS.ProcessEnv) {
    this.workspace = join(directory, 'work');
    this.temporary = join(directory, '_temp');
    this.#commands = join(this.temporary, '_runner_file_commands');
    this.base = base;
  }

  static async open(directory: string, base: NodeJS.ProcessEnv): Promise<ActionRunner> {
    const runner = new ActionRunner(directory, base);
    await mkdir(runner.workspace, { recursive: true });
    await mkdir(runner.#commands, { recursive: true });
    return runner;
  }

  /** Runs the main step of the action of this repository. */
  async use(inputs: Inputs, more: NodeJS.ProcessEnv = {}): Promise<StepResult> {
    return await (
      await this.startUse(inputs, more)
    ).ended;
  }

  async startUse(inputs: Inputs, more: NodeJS.ProcessEnv = {}): Promise<StartedStep> {
    const state: Record<string, string> = {};
    this.#actions.push({ inputs, state });
    return await this.#start(actionProgram('main'), { ...inputVariables(inputs), ...more }, state);
  }

  /** Runs commands as a step with `run:` and `shell: bash` does. */
  async run(script: string, more: NodeJS.ProcessEnv = {}): Promise<StepResult> {
    const file = join(this.temporary, `step-${this.#steps}.sh`);
    await writeFile(file, script);
    return await (
      await this.#start(['bash', '--noprofile', '--norc', '-eo', 'pipefail', file], more, {})
    ).ended;
  }

  /** Runs the post steps, the last action's first. */
  async finish(more: NodeJS.ProcessEnv = {}): Promise<readonly StepResult[]> {
    const results: StepResult[] = [];
    for (let action = this.#actions.pop(); action !== undefined; action = this.#actions.pop()) {
      const { inputs, state } = action;
      const saved = Object.fromEntries(
        Object.entries(state).map(([name, value]) => [`STATE_${name}`, value]),
      );
      const step = await this.#start(
        actionProgram('post'),
        { ...inputVariables(inputs), ...saved, ...more },
        {},
      );
      results.push(await step.ended);
    }
    return results;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.finish();
    await rm(this.temporary, { recursive: true, force: true });
  }

  async #start(
    [file = '', ...args]: readonly string[],
    more: NodeJS.ProcessEnv,
    state: Record<string, string>,
  ): Promise<StartedStep> {
    this.#steps += 1;
    const files = Object.fromEntries(
      Object.entries(stepFiles).map(([name, prefix]) => [
        name,
        join(this.#commands, `${prefix}_${this.#steps}`),
      ]),
    );
    for (const path of Object.values(files)) await writeFile(path, '');
    const child = spawn(file, args, {
      cwd: this.workspace,
      env: {
        ...this.base,
        ...this.environment,
        GITHUB_ACTIONS: 'true',
        GITHUB_WORKSPACE: this.workspace,
        RUNNER_TEMP: this.temporary,
        ...files,
        ...more,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let said = '';
    const streams = [child.stderr, child.stdout].map((stream) => {
      const queue = { text: '' };
      stream.setEncoding('utf8').on('data', (text: string) => {
        said += text;
        queue.text += text;
      });
      return queue;
    });
    const hang = setTimeout(() => child.kill('SIGKILL'), 2 * patienceMs);
    const timers: NodeJS.Timeout[] = [hang];
    const ended = once(child, 'exit').then(async ([code, signal]: unknown[]) => {
      for (const timer of timers) clearTimeout(timer);
      // What it left behind may hold them open.
      await new Promise((resolve) => setImmediate(resolve));
      child.stdout.destroy();
      child.stderr.destroy();
      await this.#takeFiles(files, state);
      const summary = await readFile(files['GITHUB_STEP_SUMMARY']!, 'utf8');
      return {
        ...this.#obey(streams.flatMap(({ text }) => text.split(/\r\n|\n|\r/))),
        code: typeof code === 'number' ? code : signal === null ? 1 : 128,
        summary,
      };
    });
    return {
      pid: child.pid ?? 0,
      said: () => said,
      ended,
      cancel: (intMs = 7_500, termMs = 2_500) => {
        child.kill('SIGINT');
        timers.push(setTimeout(() => child.kill('SIGTERM'), intMs));
        timers.push(setTimeout(() => child.kill('SIGKILL'), intMs + termMs));
      },
    };
  }

  async #takeFiles(files: Readonly<Record<string, string>>, state: Record<string, string>): Promise<void> {
    for (const [name, value] of readAssignments(await readFile(files['GITHUB_ENV']!, 'utf8'))) {
      if (refusedVariables.test(name)) throw new Error(`the runner does not set ${name}`);
      this.environment[name] = value;
    }
    for (const [name, value] of readAssignments(await readFile(files['GITHUB_STATE']!, 'utf8')))
      state[name] = value;
  }

  /** The runner has a queue for each stream, and takes what is in that of errors first: no order between the two is kept. */
  #obey(lines: readonly string[]): Pick<StepResult, 'log' | 'annotations' | 'orders'> {
    const annotations: Annotation[] = [];
    const orders: string[] = [];
    const shown: string[] = [];
    let stopped: string | undefined;
    for (const line of lines) {
      const order = parseOrder(line);
      if (stopped !== undefined) {
        if (line.trim() === `::${stopped}::`) stopped = undefined;
        else shown.push(line);
      } else if (order === undefined) shown.push(line);
      else if (/^(?:error|warning|notice)$/.test(order.name))
        annotations.push({
          level: order.name as Annotation['level'],
          text: order.text,
          properties: order.properties,
        });
      else {
        orders.push(order.name);
        if (order.name === 'add-mask') this.masks.push(order.text);
        if (order.name === 'stop-commands') stopped = order.text;
      }
    }
    const log = this.masks.reduce((text, mask) => text.replaceAll(mask, '***'), shown.join('\n'));
    return { log, annotations, orders };
  }
}

function actionProgram(step: 'main' | 'post'): readonly string[] {
  // The runner's own Node, where the machine has one of that version.
  const node = nodeOfMajor(24) ?? process.execPath;
  return [node, join(actionRoot, 'deploy', 'action', `${step}.ts`)];
}

function inputVariables(inputs: Inputs): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(inputs).map(([name, value]) => [
      `INPUT_${name.replaceAll(' ', '_').toUpperCase()}`,
      value,
    ]),
  );
}

/** As the runner reads its files; throws what makes it fail a step. */
function readAssignments(text: string): readonly (readonly [string, string])[] {
  const lines = text.split('\n');
  const found: (readonly [string, string])[] = [];
  for (let at = 0; at < lines.length; at++) {
    const line = lines[at]!;
    if (line === '') continue;
    const [equals, heredoc] = [line.indexOf('='), line.indexOf('<<')];
    if (equals >= 0 && (heredoc < 0 || equals < heredoc)) {
      found.push([line.slice(0, equals), line.slice(equals + 1)]);
      continue;
    }
    if (heredoc <= 0) throw new Error(`invalid line ${JSON.stringify(line)}`);
    const end = lines.indexOf(line.slice(heredoc + 2), at + 1);
    if (end < 0) throw new Error(`no end of ${JSON.stringify(line)}`);
    found.push([line.slice(0, heredoc), lines.slice(at + 1, end).join('\n')]);
    at = end;
  }
  return found;
}

const known =
  /^(?:error|warning|notice|add-mask|stop-commands|set-env|add-path|group|endgroup|debug|set-output|save-state)$/;

interface Order {
  readonly name: string;
  readonly properties: Readonly<Record<string, string>>;
  readonly text: string;
}

/** Both forms that the runner knows: `::name key=value::text` at the beginning, `##[name key=value;]text` anywhere. */
function parseOrder(line: string): Order | undefined {
  const [, name = '', given = '', text = ''] =
    /^\s*::([\w-]+)(?: ([^]*?))?::([^]*)$/.exec(line) ??
    /##\[([\w-]+)(?: ([^\]]*))?\]([^]*)$/.exec(line) ??
    [];
  if (!known.test(name)) return undefined;
  const properties = given.split(',').flatMap((pair) => {
    const [, key = '', value = ''] = /^([^=]+)=(.*)$/.exec(pair) ?? [];
    return key === '' ? [] : [[key, unescaped(value)] as const];
  });
  return { name, properties: Object.fromEntries(properties), text: unescaped(text) };
}

function unescaped(text: string): string {
  return text
    .replaceAll('%0D', '\r')
    .replaceAll('%0A', '\n')
    .replaceAll('%3A', ':')
    .replaceAll('%2C', ',')
    .replaceAll('%25', '%');
}
