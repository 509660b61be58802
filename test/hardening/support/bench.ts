// One case at work: agents that hold a token, victims that do too, and the same attack on both.

import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

import { FakeGateway } from '../../agent/support/fake-gateway.ts';
import {
  isAlive,
  type Installation,
  type Lab,
  type LabProcess,
  type Runtime,
  type StartOptions,
  type User,
} from './lab.ts';
import { patienceMs } from '../../support/patience.ts';

/** What was seen: the shipped program under attack, and the same attack on one that is not protected. */
export interface Verdict {
  readonly denied: string;
  readonly control: string;
}

export interface AttackCase {
  /** Of the list that the suite follows. */
  readonly number: string;
  readonly title: string;
  /** Default: all. */
  readonly runtimes?: readonly Runtime[];
  /** Who the agent and its attacker are, and why not the others: a sentence for each. Default: all. */
  readonly users?: readonly User[];
  readonly otherUsers?: string;
  readonly needsRoot?: boolean;
  /** In `npm test` too. */
  readonly short?: boolean;
  play(bench: Bench): Promise<Verdict>;
}

/** What a machine cannot show, by a reason that is printed. */
export class SkippedCase extends Error {}

export interface AgentOptions extends StartOptions {
  readonly installation?: Installation;
  /** Default: the bench's own, which responds no enrolment. */
  readonly gateway?: FakeGateway;
  readonly gatewayUrl?: string;
  /** `false`: no --gateway-ca. */
  readonly gatewayCa?: string | false;
  readonly tokenFile?: string;
  readonly home?: string;
  /** Instead of the launcher: the runtime itself, with these arguments before the program. */
  readonly direct?: readonly string[];
  /** In front of the command. */
  readonly wrapper?: readonly string[];
  readonly command?: readonly string[];
}

export interface Holder extends LabProcess {
  readonly token: string;
  readonly tokenFile: string;
  readonly home: string;
  readonly readyFile: string;
}

export class Bench implements AsyncDisposable {
  readonly lab: Lab;
  readonly runtime: Runtime;
  readonly #stack = new AsyncDisposableStack();

  constructor(lab: Lab, runtime: Runtime, user: User = 'agent') {
    this.lab = lab;
    this.runtime = runtime;
    lab.principal = user;
  }

  get user(): User {
    return this.lab.principal;
  }

  /** What the program runs on. */
  get engine(): 'node' | 'bun' {
    return this.runtime === 'bun' ? 'bun' : 'node';
  }

  /** In front of the program; the single file has none, and is always started directly. */
  get hasLauncher(): boolean {
    return this.runtime !== 'single';
  }

  use<T extends AsyncDisposable>(resource: T): T {
    return this.#stack.use(resource);
  }

  /** A gateway; `silent`: it reads enrolments and never responds, so that the agent has to keep its token. */
  async gateway(silent = false): Promise<FakeGateway> {
    const gateway = this.#stack.use(await FakeGateway.start());
    if (silent) gateway.failNext('enrol', ...Array.from({ length: 9 }, () => ({ kind: 'silence' }) as const));
    return gateway;
  }

  /** The command line of the agent, and what it works with. */
  agentCommand(
    gateway: FakeGateway | undefined,
    options: AgentOptions = {},
  ): Omit<Holder, keyof LabProcess> & { readonly command: readonly string[] } {
    const fresh = this.lab.newToken();
    const home = options.home ?? fresh.home;
    const tokenFile = options.tokenFile ?? fresh.tokenFile;
    const readyFile = join(home, 'ready.json');
    const ca =
      options.gatewayCa ?? this.lab.writeFile(join(home, 'ca.pem'), gateway?.authority.caPem ?? '', 0o644);
    const args = [
      'agent',
      '--gateway',
      options.gatewayUrl ?? gateway?.url ?? '',
      ...(ca === false ? [] : ['--gateway-ca', ca]),
      '--token-file',
      tokenFile,
      '--env-file',
      readyFile,
      '--format',
      'json',
      '--posture',
    ];
    return {
      command: [...(options.wrapper ?? []), ...this.program(options.command ?? args, options)],
      home,
      token: fresh.token,
      tokenFile,
      readyFile,
    };
  }

  /** The launcher with arguments, or the runtime itself. */
  program(
    args: readonly string[],
    { installation = 'exec-only', direct }: AgentOptions = {},
  ): readonly string[] {
    if (!this.hasLauncher) return [this.lab.singleFile(installation), ...args];
    if (direct === undefined) return [this.lab.launcher(installation), ...args];
    return [
      this.lab.runtimeFile(this.runtime, installation),
      ...direct,
      this.lab.mainFile,
      ...args.map((argument) => `=${argument}`),
    ];
  }

  /** Starts an agent; `until` it asks for its session, until its session stands, or not waiting at all. */
  async agent(until: 'enrolling' | 'up' | 'started', options: AgentOptions = {}): Promise<Holder> {
    const gateway = options.gateway ?? (await this.gateway(until === 'enrolling'));
    const before = gateway.requests.length;
    const { command, ...parts } = this.agentCommand(gateway, options);
    const started = this.start(command, options);
    const holds = (): boolean =>
      until === 'enrolling' ? gateway.requests.slice(before).includes('enrol') : existsSync(parts.readyFile);
    if (until !== 'started') await this.until(`the agent is ${until}`, holds, started);
    return { ...started, ...parts };
  }

  start(command: readonly string[], { user, cwd, env = {} }: StartOptions = {}): LabProcess {
    return this.#stack.use(
      this.lab.start(command, {
        ...(user === undefined ? {} : { user }),
        ...(cwd === undefined ? {} : { cwd }),
        env: { UPSTREAMPROXY_RUNTIME: this.engine, ...env },
      }),
    );
  }

  /** The process that protects nothing, with arguments for its runtime. */
  async victim(
    options: StartOptions & {
      readonly runtimeArguments?: readonly string[];
      readonly wrapper?: readonly string[];
    } = {},
  ): Promise<Holder> {
    const { command, ...parts } = this.victimCommand(options);
    const started = this.start(command, options);
    await this.until('the victim is ready', () => existsSync(parts.readyFile), started);
    return { ...started, ...parts };
  }

  victimCommand(
    options: { readonly runtimeArguments?: readonly string[]; readonly wrapper?: readonly string[] } = {},
  ): Omit<Holder, keyof LabProcess> & { readonly command: readonly string[] } {
    const parts = this.lab.newToken();
    const readyFile = join(parts.home, 'ready');
    const runtime = this.lab.runtimeFile(this.runtime, 'readable');
    const script = this.lab.supportFile('victim-script.ts');
    const own = [...(options.wrapper ?? []), runtime, ...(options.runtimeArguments ?? [])];
    return { ...parts, readyFile, command: [...own, script, parts.tokenFile, readyFile] };
  }

  /** Runs an attack; true if it worked. Throws if it could not even be tried. */
  async attack(
    args: readonly (string | number)[],
    user: User = this.user,
    wrapper: readonly string[] = [],
  ): Promise<{ readonly worked: boolean; readonly said: string }> {
    const command = [...wrapper, this.lab.attackFile, ...args.map(String)];
    const { code, said } = await this.lab.finish(command, {
      user,
      env: { UPSTREAMPROXY_RUNTIME: this.engine },
    });
    const last = said.split('\n').at(-1) ?? '';
    assert.ok(code === 0 || code === 1, `the attack could not be tried: ${said} (${code})`);
    return { worked: code === 0, said: last };
  }

  /** Each attack must fail on an agent that holds its token, and work on a process that protects nothing. */
  async deniedOnAgent(
    ...attacks: readonly ((holder: Holder) => readonly (string | number)[])[]
  ): Promise<Verdict> {
    const victim = await this.victim();
    const controls: string[] = [];
    for (const attack of attacks) {
      const { worked, said } = await this.attack(attack(victim));
      assert.ok(worked, `the control failed, so nothing is proven: ${said}`);
      controls.push(said);
    }
    const holder = await this.agent('enrolling');
    if (this.lab.isRoot) await this.mustHoldToken(holder);
    const denials: string[] = [];
    for (const attack of attacks) {
      const { worked, said } = await this.attack(attack(holder));
      assert.ok(!worked, said);
      assert.ok(isAlive(holder.pid), `the agent ended meanwhile, so nothing is proven: ${holder.said()}`);
      denials.push(said);
    }
    return { denied: denials.join('; '), control: controls.join('; ') };
  }

  /** Root, outside every jail, finds the token: it is there to be stolen. */
  async mustHoldToken({ pid, token }: Holder): Promise<string> {
    const { worked, said } = await this.attack(['mem', pid, token], 'root');
    assert.ok(worked, `the token is not in the memory of the agent, so nothing is proven: ${said}`);
    return said;
  }

  async until(what: string, holds: () => boolean, started?: LabProcess): Promise<void> {
    const deadline = performance.now() + patienceMs;
    while (!holds()) {
      const { exitCode = null, signalCode = null } = started?.child ?? {};
      const isOver = exitCode !== null || signalCode !== null || performance.now() > deadline;
      if (isOver)
        throw new Error(
          `not so: ${what} (${exitCode ?? signalCode ?? 'too late'}): ${started?.said() ?? ''}`,
        );
      await delay(10);
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#stack.disposeAsync();
  }
}
