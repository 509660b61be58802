// What a rule says, aspect by aspect, in words that can be compared, and whether one saying covers another.

import { askCovers, askText } from './ask-rule.ts';
import { captureText } from './compile-capture.ts';
import { decideCovers, decideText } from './decide-rule.ts';
import { gitCovers, gitText } from './git-condition.ts';
import { graphqlCovers, graphqlText, rootKeys } from './graphql-rule.ts';
import { coversHosts, formatHostPattern } from './host-pattern.ts';
import { leaksCover, leaksText } from './leak-rule.ts';
import { llmCovers, llmPairs, llmText } from './llm-rule.ts';
import { logInCovers, logInText } from './log-in-rule.ts';
import { mcpCovers, mcpText } from './mcp-rule.ts';
import { endCovers, endText } from './protocol-rule.ts';
import { rewriteCovers, rewriteText } from './rewrite-rule.ts';
import { screenCovers, screenText } from './screen-rule.ts';
import { signCovers, signText } from './sign-rule.ts';
import { denialsCover, packagesCover, packagesText } from './package-text.ts';
import type { RequestFields } from './request-fields.ts';
import type { Rule, RuleScheme } from './rule.ts';

/** One thing that a rule says. `covers`: what `b` lets through by it, `a` lets through too. */
export interface RuleAspect {
  readonly key: string;
  /** What is written, or its default; undefined: nothing. */
  text(rule: Rule): string | undefined;
  /** Whether everything that `inner` matches, or gives, is matched or given by `outer`. */
  covers(outer: Rule, inner: Rule): boolean;
  /** It says which requests the rule is for; the others say what an admitted request gets. */
  readonly isMatch: boolean;
}

const list = (values: Iterable<string | number> | undefined): string | undefined => {
  const all = values === undefined ? [] : [...values];
  return all.length === 0 ? undefined : all.join(', ');
};

const includesAll = <T>(outer: Iterable<T>, inner: Iterable<T>): boolean => {
  const set = new Set(outer);
  return [...inner].every((one) => set.has(one));
};

/** Absent stands for everything. */
const coversSet = <T>(outer: ReadonlySet<T> | undefined, inner: ReadonlySet<T> | undefined): boolean =>
  outer === undefined || (inner !== undefined && includesAll(outer, inner));

/** Ports of a rule as it is matched; undefined: all. */
export function effectivePorts(rule: Rule): ReadonlySet<number> | undefined {
  if (rule.ports !== undefined || rule.effect === 'deny') return rule.ports;
  return new Set([...rule.schemes].map((scheme: RuleScheme) => (scheme === 'http' ? 80 : 443)));
}

const selectorsText = ({ selectors }: Rule): string | undefined =>
  selectors.length === 0 ? undefined : selectors.map((one) => JSON.stringify(one)).join(' and ');

const limitsText = ({ limits, budget }: Rule): string | undefined =>
  list([
    ...Object.entries(limits).map(([limit, value]) => `${limit} ${String(value)}`),
    // A hash says nothing to people, and changes with the rest.
    ...(budget?.startsWith('budget ') === true ? [budget] : []),
  ]);

function limitsCover({ limits: outer }: Rule, { limits: inner }: Rule): boolean {
  return (Object.keys(outer) as (keyof typeof outer)[]).every((limit) => {
    const [most, own] = [outer[limit], inner[limit]];
    return most === undefined || (own !== undefined && own <= most);
  });
}

function fieldsText(fields: RequestFields | undefined): string | undefined {
  if (fields === undefined) return undefined;
  const { named, only, removed, refused } = fields;
  const parts = [
    only === undefined ? list(named) : `only ${list(only) ?? ''}`,
    ...[...removed].map((name) => `without ${name}`),
    ...[...refused].map((name) => `never ${name}`),
  ];
  return list(parts.filter((part) => part !== undefined));
}

function fieldsCover(outer: RequestFields | undefined, inner: RequestFields | undefined): boolean {
  if (outer === undefined) return true;
  if (inner === undefined || !includesAll(outer.named, inner.named)) return false;
  if (outer.only !== undefined && inner.only === undefined) return false;
  return includesAll(inner.refused, outer.refused) && includesAll(inner.removed, outer.removed);
}

/** A condition that both have alike, or that only the inner has. */
const sameOrAbsent = (outer: string | undefined, inner: string | undefined): boolean =>
  outer === undefined || outer === inner;

/** More pairs of two rules are not compared one by one: whether one covers the other cannot be told then. */
const pairsMax = 4096;

function pathsCover({ paths: outer }: Rule, { paths: inner }: Rule): boolean {
  if (outer === undefined) return true;
  if (inner === undefined) return false;
  const written = new Set(outer.map(({ source }) => source));
  const others = inner.filter(({ source }) => !written.has(source));
  if (others.length * outer.length > pairsMax) return false;
  return others.every((path) => outer.some((one) => one.covers(path)));
}

function gitPairs({ git: outer }: Rule, { git: inner }: Rule): number {
  const pairs = (a: readonly unknown[] | undefined, b: readonly unknown[] | undefined): number =>
    (a?.length ?? 0) * (b?.length ?? 0);
  return (
    pairs(outer?.repositories, inner?.repositories) +
    pairs(outer?.refs, inner?.refs) +
    pairs(outer?.options, inner?.options)
  );
}

function mcpPairs({ mcp: outer }: Rule, { mcp: inner }: Rule): number {
  const keys = ['tools', 'resources', 'prompts', 'methods'] as const;
  return keys.reduce((sum, key) => sum + (outer?.[key].length ?? 0) * (inner?.[key].length ?? 0), 0);
}

function graphqlPairs({ graphql: outer }: Rule, { graphql: inner }: Rule): number {
  const keys = [...rootKeys, 'names', 'persisted'] as const;
  return keys.reduce((sum, key) => sum + (outer?.[key]?.length ?? 0) * (inner?.[key]?.length ?? 0), 0);
}

const isMatch = true;

/** All aspects. `name`, `description` and the order are none. */
export const ruleAspects: readonly RuleAspect[] = [
  {
    key: 'hosts',
    isMatch,
    text: ({ hosts }) => list(hosts.map(formatHostPattern)),
    covers: (outer, inner) => coversHosts(outer.hosts, inner.hosts),
  },
  {
    key: 'scheme',
    isMatch,
    text: ({ schemes }) => list(schemes),
    covers: (outer, inner) => includesAll(outer.schemes, inner.schemes),
  },
  {
    key: 'protocol',
    isMatch: false,
    text: ({ end }) => (end === undefined ? undefined : endText(end)),
    covers: (outer, inner) => endCovers(outer.end, inner.end),
  },
  {
    key: 'ports',
    isMatch,
    text: (rule) => list(effectivePorts(rule)),
    covers: (outer, inner) => coversSet(effectivePorts(outer), effectivePorts(inner)),
  },
  {
    key: 'methods',
    isMatch,
    text: ({ methods }) => list(methods),
    covers: (outer, inner) => coversSet(outer.methods, inner.methods),
  },
  {
    key: 'paths',
    isMatch,
    text: ({ paths }) => list(paths?.map(({ source }) => source)),
    covers: pathsCover,
  },
  {
    key: 'git',
    isMatch,
    text: ({ git }) => (git === undefined ? undefined : gitText(git)),
    covers: (outer, inner) => gitPairs(outer, inner) <= pairsMax && gitCovers(outer, inner),
  },
  {
    key: 'mcp',
    isMatch,
    text: ({ mcp }) => (mcp === undefined ? undefined : mcpText(mcp)),
    covers: (outer, inner) => mcpPairs(outer, inner) <= pairsMax && mcpCovers(outer.mcp, inner.mcp),
  },
  {
    key: 'graphql',
    isMatch,
    text: ({ graphql }) => (graphql === undefined ? undefined : graphqlText(graphql)),
    covers: (outer, inner) =>
      graphqlPairs(outer, inner) <= pairsMax && graphqlCovers(outer.graphql, inner.graphql),
  },
  {
    key: 'llm',
    isMatch,
    text: ({ llm }) => (llm === undefined ? undefined : llmText(llm)),
    covers: (outer, inner) => llmPairs(outer, inner) <= pairsMax && llmCovers(outer, inner),
  },
  {
    key: 'packages',
    isMatch,
    text: ({ packages }) => (packages === undefined ? undefined : packagesText(packages)),
    covers: (outer, inner) =>
      (outer.effect === 'deny' ? denialsCover : packagesCover)(outer.packages, inner.packages),
  },
  {
    key: 'sign',
    isMatch,
    text: ({ sign }) => (sign === undefined ? undefined : signText(sign)),
    covers: signCovers,
  },
  {
    key: 'when',
    isMatch,
    text: ({ when }) => when?.source,
    covers: (outer, inner) => sameOrAbsent(outer.when?.source, inner.when?.source),
  },
  {
    key: 'for',
    isMatch,
    text: selectorsText,
    covers: (outer, inner) => sameOrAbsent(selectorsText(outer), selectorsText(inner)),
  },
  {
    key: 'require',
    isMatch,
    text: ({ require }) => list(require),
    covers: (outer, inner) => includesAll(inner.require, outer.require),
  },
  {
    key: 'expires',
    isMatch,
    text: ({ expiresMs }) => (expiresMs === undefined ? undefined : new Date(expiresMs).toISOString()),
    covers: (outer, inner) => (outer.expiresMs ?? Infinity) >= (inner.expiresMs ?? Infinity),
  },
  {
    key: 'ask',
    isMatch: false,
    text: ({ ask }) => (ask === undefined ? undefined : askText(ask)),
    covers: (outer, inner) => askCovers(outer.ask, inner.ask),
  },
  {
    key: 'inject',
    isMatch: false,
    text: ({ inject }) => list(inject),
    covers: (outer, inner) => includesAll(outer.inject, inner.inject),
  },
  {
    key: 'requestFields',
    isMatch: false,
    text: ({ requestFields }) => fieldsText(requestFields),
    covers: ({ requestFields: outer }, { requestFields: inner }) => fieldsCover(outer, inner),
  },
  {
    key: 'addresses',
    isMatch: false,
    text: ({ addresses }) => list(addresses),
    covers: (outer, inner) => includesAll(outer.addresses, inner.addresses),
  },
  {
    key: 'trust',
    isMatch: false,
    text: ({ trust }) => list(trust),
    covers: (outer, inner) => includesAll(outer.trust, inner.trust),
  },
  {
    key: 'dns',
    isMatch: false,
    text: ({ dns }) => (dns === undefined ? undefined : `names ${dns.map(formatHostPattern).join(', ')}`),
    covers: (outer, inner) =>
      outer.dns === undefined || (inner.dns !== undefined && coversHosts(outer.dns, inner.dns)),
  },
  {
    key: 'exit',
    isMatch: false,
    text: ({ exit }) => exit,
    // Neither is more than the other.
    covers: (outer, inner) => outer.exit === inner.exit,
  },
  {
    key: 'bodies',
    isMatch: false,
    text: ({ bodies }) => (bodies === 'any' ? undefined : bodies),
    covers: (outer, inner) => outer.bodies === 'any' || inner.bodies === outer.bodies,
  },
  {
    key: 'homeCredentials',
    isMatch: false,
    text: ({ homeWrites }) => (homeWrites ? 'write' : undefined),
    covers: (outer, inner) => outer.homeWrites || !inner.homeWrites,
  },
  {
    key: 'logIn',
    isMatch: false,
    text: ({ logIn }) => (logIn === undefined ? undefined : logInText(logIn)),
    covers: (outer, inner) => logInCovers(outer.logIn, inner.logIn),
  },
  {
    key: 'trace',
    isMatch: false,
    text: ({ continuesTrace }) => (continuesTrace ? 'continue' : undefined),
    covers: (outer, inner) => outer.continuesTrace || !inner.continuesTrace,
  },
  {
    key: 'capture',
    isMatch: false,
    text: ({ capture }) => (capture === undefined ? undefined : captureText(capture)),
    // It gives a workload nothing: neither is more than the other.
    covers: () => true,
  },
  {
    key: 'leaks',
    isMatch: false,
    text: ({ leaks }) => (leaks === undefined ? undefined : leaksText(leaks)),
    covers: (outer, inner) => leaksCover(outer.leaks, inner.leaks),
  },
  {
    key: 'rewrite',
    isMatch: false,
    text: ({ rewrite }) => (rewrite === undefined ? undefined : rewriteText(rewrite)),
    covers: (outer, inner) => rewriteCovers(outer.rewrite, inner.rewrite),
  },
  {
    key: 'screen',
    isMatch: false,
    text: ({ screen }) => (screen === undefined ? undefined : screenText(screen)),
    covers: (outer, inner) => screenCovers(outer.screen, inner.screen),
  },
  {
    key: 'decide',
    isMatch: false,
    text: ({ decide }) => (decide === undefined ? undefined : decideText(decide)),
    covers: (outer, inner) => decideCovers(outer.decide, inner.decide),
  },
  {
    key: 'scrub',
    isMatch: false,
    text: ({ scrub }) => (scrub === undefined ? undefined : `quietMs ${String(scrub.quietMs)}`),
    // What waits less lets more through.
    covers: (outer, inner) =>
      inner.scrub === undefined || (outer.scrub !== undefined && outer.scrub.quietMs <= inner.scrub.quietMs),
  },
  { key: 'limits', isMatch: false, text: limitsText, covers: limitsCover },
  {
    key: 'tls',
    isMatch: false,
    text: ({ handling, opensAsNeeded, refusesEch }) =>
      opensAsNeeded ? 'auto' : refusesEch ? `${handling} without ech` : handling,
    covers: (outer, inner) =>
      (inner.handling === 'intercept' && !inner.opensAsNeeded) ||
      (inner.opensAsNeeded && (outer.opensAsNeeded || outer.handling === 'passthrough')) ||
      (outer.handling === inner.handling && (inner.refusesEch || !outer.refusesEch)),
  },
  {
    key: 'mode',
    isMatch: false,
    text: ({ mode }) => mode,
    covers: (outer, inner) => outer.mode === 'observe' || inner.mode === 'enforce',
  },
  {
    key: 'deny',
    isMatch: false,
    text: ({ effect, reason, operatorReason }) =>
      effect === 'allow'
        ? undefined
        : list([reason ?? 'true', ...(operatorReason === undefined ? [] : [operatorReason])]),
    covers: (outer, inner) => outer.effect === 'allow' || inner.effect === 'deny',
  },
];
