// The policy of a running gateway: its files, or observing, and how old what is in force is.

import type { Policy } from '../../policy/decision.ts';
import { observePolicy } from '../../policy/observe-policy.ts';
import { formatProblem } from '../../policy/problem.ts';
import { asProxyError } from '../../protocol/error.ts';
import type { GatewayConfig } from '../config/config.ts';
import { foreignDefaults } from '../credentials/credential-kinds.ts';
import { hostDiscovery } from './discover-hosts.ts';
import type { PolicyReadingOptions } from './policy-reading.ts';
import { PolicySource } from './policy-source.ts';
import type { RuleTrust } from '../forward/rule-trust.ts';

interface PolicyParts {
  readonly stack: AsyncDisposableStack;
  readonly log: (level: 'info' | 'warn' | 'error', message: string) => void;
  readonly ruleTrust: RuleTrust;
  readonly clock: () => number;
}

export interface Policies {
  readonly current: () => Policy;
  readonly reload: () => Promise<void>;
  readonly onChange: (listener: (policy: Policy) => void) => void;
  /** Since when the policy in force is in force. */
  readonly ageMs: () => number;
  /** How long the files have held something that cannot be taken; 0: they hold what is in force. */
  readonly staleMs: () => number;
}

/** What the configuration gives the reader of policies to check names by. */
export function policyNames({
  credentials,
  trust,
  issuers,
  discover,
}: Pick<GatewayConfig, 'credentials' | 'trust' | 'issuers' | 'discover'>): PolicyReadingOptions {
  return {
    credentials: Object.keys(credentials),
    placeholders: Object.entries(credentials).flatMap(([name, one]) =>
      foreignDefaults(one).what === 'none-beside-it' ? [name] : [],
    ),
    trust: Object.keys(trust),
    // Of those with "for" it is said who is meant.
    issuers: issuers.flatMap((one) => (one.for === undefined ? [one.issuer] : [])),
    discover: hostDiscovery(discover),
  };
}

/** Opens what the configuration names. @throws ProxyError config_invalid with every problem */
export async function openPolicies(
  config: GatewayConfig,
  { stack, log, ruleTrust, clock }: PolicyParts,
): Promise<Policies> {
  if (config.policy.mode === 'observe') {
    if (config.issuers.some((one) => one.for === undefined))
      log('warn', 'policy: observe lets everything public through to whoever has a token of an issuer');
    const [policy, startMs] = [observePolicy(), clock()];
    return {
      current: () => policy,
      reload: () => Promise.resolve(),
      onChange: () => undefined,
      ageMs: () => clock() - startMs,
      staleMs: () => 0,
    };
  }
  if (config.policy.paths.length === 0)
    log(
      'warn',
      'the configuration has no policy, so everything is denied; name a file or folder under "policy"',
    );
  const source = stack.use(
    await PolicySource.open(config.policy.paths, {
      ...policyNames(config),
      clock,
      onProblems: (problems) => {
        for (const problem of problems)
          log(problem.severity === 'error' ? 'error' : 'warn', formatProblem(problem));
      },
      onKept: ({ version, loadedAtMs }) => {
        const age = Math.round((clock() - loadedAtMs) / 1000);
        log('error', `the policy files cannot be taken; policy ${version}, ${age} s old, stays in force`);
      },
    }),
  );
  source.onChange(({ version }) => {
    log('info', `policy ${version} is in force`);
  });
  return {
    current: () => source.current,
    reload: async () => {
      // A file that cannot be taken leaves what was read before, as a policy file does.
      await ruleTrust.reload().catch((error: unknown) => {
        log('error', asProxyError(error).message);
      });
      await source.reload();
    },
    onChange: (listener) => {
      source.onChange(listener);
    },
    ageMs: () => clock() - source.state.loadedAtMs,
    staleMs: () => {
      const { failure } = source.state;
      return failure === undefined ? 0 : clock() - failure.sinceMs;
    },
  };
}
