// What git did, as rules about git: which repositories were fetched, and which refs of which repositories were pushed.

import type { RequestAccess } from '../../policy/decision.ts';
import type { RefChange } from '../../policy/git-commands.ts';
import { GitOptionPattern } from '../../policy/git-option-pattern.ts';
import { GitPattern } from '../../policy/git-pattern.ts';
import { gitRequestOf } from '../../policy/git-request.ts';

/** A rule about git. Undefined: what a rule says by itself, any ref and no deletion. */
export interface ProposedGit {
  readonly repositories: readonly string[];
  readonly operation: 'fetch' | 'push';
  readonly refs: readonly string[] | undefined;
  readonly changes: readonly RefChange[] | undefined;
  readonly options: readonly string[] | undefined;
  readonly count: number;
}

const ofAny = { refs: undefined, changes: undefined, options: undefined } as const;

/** More refs than this are no list that anybody reads; their folders stand for them. */
const refsMax = 100;

/** What was pushed to one repository, apart for pushes that deleted something. */
interface Pushes {
  /** Undefined: what was pushed is not recorded. */
  refs: Set<string> | undefined;
  readonly changes: Set<RefChange>;
  readonly options: Set<string>;
  count: number;
}

interface Listing {
  readonly method: string;
  readonly path: string;
  count: number;
}

interface RepositorySeen {
  fetches: number;
  /** Listings of refs before a push, which any push needs; by method and path. */
  readonly listings: Map<string, Listing>;
  readonly pushes: Map<'deletes' | 'keeps', Pushes>;
}

/** Requests of git to one destination with the same credentials. */
export class GitSeen {
  readonly #byRepository = new Map<string, RepositorySeen>();

  /** Takes a request that a rule about git can allow; false for any other. */
  note(access: RequestAccess): boolean {
    const request = gitRequestOf(access);
    if (request?.isSmart !== true || !isLiteral(request.repository)) return false;
    const seen = this.#byRepository.get(request.repository) ?? {
      fetches: 0,
      listings: new Map<string, Listing>(),
      pushes: new Map<'deletes' | 'keeps', Pushes>(),
    };
    this.#byRepository.set(request.repository, seen);
    if (request.operations[0] === 'fetch') seen.fetches += 1;
    else if (request.carriesCommands) notePush(seen, access);
    else noteListing(seen, access);
    return true;
  }

  rules(): readonly ProposedGit[] {
    const rules = new Map<string, ProposedGit>();
    const add = (repository: string, rule: Omit<ProposedGit, 'repositories'>): void => {
      const key = JSON.stringify([rule.operation, rule.refs, rule.changes, rule.options]);
      const same = rules.get(key);
      const repositories = [...(same?.repositories ?? []), repository];
      rules.set(key, { ...rule, repositories, count: rule.count + (same?.count ?? 0) });
    };
    for (const [repository, { fetches, listings, pushes }] of [...this.#byRepository].toSorted(byText)) {
      if (fetches > 0) add(repository, { operation: 'fetch', ...ofAny, count: fetches });
      let listed = [...listings.values()].reduce((sum, { count }) => sum + count, 0);
      for (const [kind, { refs, changes, options, count }] of [...pushes].toSorted(byText)) {
        add(repository, {
          operation: 'push',
          refs: refs === undefined ? undefined : refPatterns(refs),
          changes: kind === 'deletes' ? [...changes].toSorted() : undefined,
          options: options.size === 0 ? undefined : optionPatterns(options),
          count: count + listed,
        });
        listed = 0;
      }
    }
    return [...rules.values()];
  }

  /** Listings before a push that was never sent: a rule about pushes would allow one. */
  listingsAlone(): readonly Listing[] {
    return [...this.#byRepository.values()].flatMap(({ listings, pushes }) =>
      pushes.size === 0 ? Array.from(listings.values()) : [],
    );
  }
}

/** A workload chooses the name: a star in it would be a wildcard of the rule. */
function isLiteral(repository: string): boolean {
  const pattern = GitPattern.parseRepository(repository);
  return typeof pattern !== 'string' && pattern.isLiteral;
}

function noteListing({ listings }: RepositorySeen, { method, path }: RequestAccess): void {
  const key = `${method} ${path}`;
  const listing = listings.get(key) ?? { method, path, count: 0 };
  listings.set(key, listing);
  listing.count += 1;
}

/** One rule has to allow all of a push, so a push that deletes is not mixed with those that do not. */
function notePush(
  { pushes }: RepositorySeen,
  { pushed, pushOptions = [] }: Pick<RequestAccess, 'pushed' | 'pushOptions'>,
): void {
  const kind = pushed?.some(({ change }) => change === 'delete') === true ? 'deletes' : 'keeps';
  const seen = pushes.get(kind) ?? {
    refs: new Set(),
    changes: new Set(),
    options: new Set(),
    count: 0,
  };
  pushes.set(kind, seen);
  seen.count += 1;
  if (pushed === undefined) seen.refs = undefined;
  for (const option of pushOptions) seen.options.add(option);
  for (const { ref, change } of pushed ?? []) {
    seen.refs?.add(ref);
    seen.changes.add(change);
  }
}

/** A workload wrote them: a star in one would be a wildcard of the rule, and what is no pattern can only be any option. */
function optionPatterns(options: ReadonlySet<string>): readonly string[] {
  const isPlain = (option: string): boolean =>
    !option.includes('*') && typeof GitOptionPattern.parse(option) !== 'string';
  const plain = [...options].filter(isPlain).toSorted();
  return plain.length < options.size || plain.length > refsMax ? ['*'] : plain;
}

function refPatterns(refs: ReadonlySet<string>): readonly string[] | undefined {
  // Git asks with an empty push whether it may; that alone is no list.
  if (refs.size === 0) return undefined;
  const patterns = new Set([...refs].map(refPattern));
  const shown = patterns.size <= refsMax ? patterns : new Set([...patterns].map(folderOf));
  return [...shown].toSorted();
}

/** The ref itself, with stars for what a pattern cannot say. */
function refPattern(ref: string): string {
  const segments = ref.split('/').map((segment) => (/^[\w.~!$&'()+,;=@%-]+$/.test(segment) ? segment : '*'));
  const candidates = [segments.join('/'), folderOf(ref), 'refs/**'];
  const matching = candidates.find((text) => {
    const pattern = GitPattern.parseRef(text);
    return typeof pattern !== 'string' && pattern.matches(ref);
  });
  return matching ?? 'refs/**';
}

function folderOf(ref: string): string {
  return `${ref.slice(0, ref.lastIndexOf('/'))}/**`;
}

function byText([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number {
  return a === b ? 0 : a < b ? -1 : 1;
}
