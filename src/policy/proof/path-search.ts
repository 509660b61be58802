// Looks for a short path that is as asked, among all canonical paths and in all their readings. What it does not find is not
// there: the states in which a path can stand are finite, and each is looked at once.
//
// Few readings are looked at to begin with. Rules that have to let a path through do so in every reading, so that with fewer of
// them no path is missed. A path that is found is asked about by all of them; the ones that speak against it are looked at from
// then on.

import { asWritten, type PathReading } from '../../http/path-reading.ts';
import { allAtOnce, type Steps } from '../compare-reach.ts';
import { canonicalMachine, mayEnd } from './canonical-machine.ts';
import { dead, NumberedMachine } from './machine.ts';
import {
  allReadings,
  isGoal,
  type PathCondition,
  type PathGoal,
  type PathRules,
  readingsAgainst,
} from './path-goal.ts';
import { distinctTokens, type PathToken } from './path-token.ts';
import { PatternSets, type Standing } from './pattern-sets.ts';
import { ReadingView, ReadingViews } from './reading-views.ts';

/** A path, none, or that nobody can tell with so much work. */
export type PathResult =
  | { readonly kind: 'found'; readonly path: string }
  | { readonly kind: 'none' }
  | { readonly kind: 'too-many' };

/** `statesMax`: how many states are looked at, in all; `states`: how many were. */
export function searchPath(
  goal: PathGoal,
  statesMax: number,
): { readonly result: PathResult; readonly states: number } {
  return allAtOnce(pathSearchSteps(goal, statesMax));
}

/** The same in steps, each of which says how much it was. */
export function* pathSearchSteps(goal: PathGoal, statesMax: number): Steps<ReturnType<typeof searchPath>> {
  const work = { left: statesMax };
  const result = yield* searchAll(goal, work);
  return { result, states: statesMax - work.left };
}

function* searchAll(goal: PathGoal, work: { left: number }): Steps<PathResult> {
  const search = new PathSearch(goal);
  for (const chosen of choicesOf(goal)) {
    const path = yield* searchWith(goal, search, chosen, work);
    if (path !== undefined) return { kind: 'found', path };
    if (work.left < 0) return { kind: 'too-many' };
  }
  return { kind: 'none' };
}

/** In which readings the path is asked about, or refused: each is tried by itself. */
function choicesOf({ question, refusing }: PathGoal): readonly (readonly PathReading[])[] {
  const each = allReadings.map((reading) => [reading]);
  if (refusing === undefined) return question === undefined ? [[]] : each;
  if (refusing.denies.includes(undefined)) return [[]];
  // Where one rule alone can allow, one reading decides that it does not. Of several, each may fail in a reading of its own.
  return refusing.isOpen || refusing.allows.length <= 1 ? each : [...each, allReadings];
}

function* searchWith(
  goal: PathGoal,
  search: PathSearch,
  chosen: readonly PathReading[],
  work: { left: number },
): Steps<string | undefined> {
  const first = [asWritten, ...chosen.slice(0, 1)];
  const readings = new Map(first.map((reading) => [reading.key, reading]));
  for (;;) {
    const path = yield* search.run(chosen, [...readings.values()], work);
    if (path === undefined || isGoal(goal, path)) return path;
    const known = readings.size;
    for (const rules of goal.allowing)
      for (const reading of readingsAgainst(rules, path)) readings.set(reading.key, reading);
    // Every path that was found is as asked in the readings that were looked at.
    if (readings.size === known) throw new Error(`nothing new is learned from ${path}`);
  }
}

/** A rule, or the question, as the owner of its patterns. */
type Owner = number;

/** The conditions of a policy with their owners; `every`: one of them is for every path. */
interface OwnedRules {
  readonly allows: readonly Owner[];
  readonly allowsEvery: boolean;
  readonly denies: readonly Owner[];
  readonly deniesEvery: boolean;
}

/** Who looks at a path. */
interface Views {
  readonly question: ReadingViews;
  readonly allowing: ReadingViews;
  readonly refusing: ReadingViews;
}

/** Where a path has come to: numbers of states of each. */
interface Step {
  readonly canonical: number;
  readonly question: number;
  readonly refusing: number;
  readonly allowing: number;
  readonly from?: Step;
  readonly token?: number;
}

class PathSearch {
  #owners = 0;
  readonly #question: Owner | undefined;
  readonly #allowing: readonly OwnedRules[];
  readonly #refusing: OwnedRules | undefined;
  readonly #tokens: readonly PathToken[];
  readonly #canonical: NumberedMachine<Parameters<typeof mayEnd>[0]>;
  readonly #known = new Map<PatternSets, Map<number, ReadingView>>();
  readonly #questionSets: PatternSets;
  readonly #allowingSets: PatternSets;
  readonly #refusingSets: PatternSets;

  constructor({ question, allowing, refusing }: PathGoal) {
    const [ofQuestion, ofAllowing, ofRefusing] = [new PatternList(), new PatternList(), new PatternList()];
    this.#question = this.#ownersOf([question], ofQuestion)[0];
    this.#allowing = allowing.map((rules) => this.#ownedRules(rules, ofAllowing));
    this.#refusing = refusing === undefined ? undefined : this.#ownedRules(refusing, ofRefusing);
    this.#questionSets = new PatternSets(ofQuestion.all);
    this.#allowingSets = new PatternSets(ofAllowing.all);
    this.#refusingSets = new PatternSets(ofRefusing.all);
    const sets = [this.#questionSets, this.#allowingSets, this.#refusingSets];
    this.#tokens = distinctTokens(new Set(sets.map(({ named }) => named).join('')));
    this.#canonical = new NumberedMachine(canonicalMachine, this.#tokens);
  }

  /** `chosen`: in which readings the path is asked about, or refused; `readings`: in which it is to be allowed. */
  *run(
    chosen: readonly PathReading[],
    readings: readonly PathReading[],
    work: { left: number },
  ): Steps<string | undefined> {
    if (this.#allowing.some(({ deniesEvery }) => deniesEvery)) return undefined;
    const views: Views = {
      question: this.#viewsOf(this.#questionSets, chosen),
      allowing: this.#viewsOf(this.#allowingSets, readings),
      refusing: this.#viewsOf(this.#refusingSets, chosen),
    };
    let level: readonly Step[] = [{ canonical: 0, question: 0, refusing: 0, allowing: 0 }];
    const seen = new Set(level.map(keyOf));
    while (level.length > 0) {
      const next: Step[] = [];
      for (const from of level) {
        for (const token of this.#tokens.keys()) {
          const step = this.#follow(views, from, token);
          if (step === undefined) continue;
          const key = keyOf(step);
          if (Number.isNaN(key)) work.left = -1;
          if (seen.has(key)) continue;
          seen.add(key);
          work.left -= 1;
          if (this.#isFound(views, step)) return this.#pathOf(step);
          if (!this.#isHopeless(views, step)) next.push(step);
        }
        if (work.left < 0) return undefined;
        // Eight of them take as long as what others count as one.
        yield Math.ceil(this.#tokens.length / 8);
      }
      level = next;
    }
    return undefined;
  }

  /** What one reading has seen is kept: several searches ask for it. */
  #viewsOf(sets: PatternSets, readings: readonly PathReading[]): ReadingViews {
    const known = this.#known.get(sets) ?? new Map<number, ReadingView>();
    this.#known.set(sets, known);
    const views = readings.map((reading) => {
      const view = known.get(reading.key) ?? new ReadingView(sets, reading, this.#tokens);
      known.set(reading.key, view);
      return view;
    });
    return new ReadingViews(views, this.#tokens.length);
  }

  #follow({ question, allowing, refusing }: Views, from: Step, token: number): Step | undefined {
    const canonical = this.#canonical.step(from.canonical, token);
    if (canonical === dead) return undefined;
    return {
      canonical,
      question: question.step(from.question, token),
      refusing: refusing.step(from.refusing, token),
      allowing: allowing.step(from.allowing, token),
      from,
      token,
    };
  }

  #isFound(views: Views, step: Step): boolean {
    if (!mayEnd(this.#canonical.state(step.canonical))) return false;
    const owner = this.#question;
    const asked = views.question.endings(step.question);
    if (owner !== undefined && !asked.some(({ matched }) => matched.has(owner))) return false;
    const endings = views.allowing.endings(step.allowing);
    if (!this.#allowing.every((rules) => isAllowed(rules, endings))) return false;
    return this.#refusing === undefined || !isAllowed(this.#refusing, views.refusing.endings(step.refusing));
  }

  /** Whether no path that goes on from here can be what is looked for. */
  #isHopeless(views: Views, step: Step): boolean {
    const owner = this.#question;
    const asked = views.question.standings(step.question);
    if (owner !== undefined && !asked.some(({ alive }) => alive.has(owner))) return true;
    const standings = views.allowing.standings(step.allowing);
    if (this.#allowing.some((rules) => neverAllows(rules, standings))) return true;
    return (
      this.#refusing !== undefined && alwaysAllows(this.#refusing, views.refusing.standings(step.refusing))
    );
  }

  #pathOf(step: Step): string {
    const pieces: string[] = [];
    for (let at: Step | undefined = step; at?.token !== undefined; at = at.from)
      pieces.push(this.#tokens[at.token]?.text ?? '');
    return pieces.toReversed().join('');
  }

  #ownedRules({ allows, denies, isOpen }: PathRules, list: PatternList): OwnedRules {
    return {
      allows: this.#ownersOf(allows, list),
      allowsEvery: isOpen || allows.includes(undefined),
      denies: this.#ownersOf(denies, list),
      deniesEvery: denies.includes(undefined),
    };
  }

  #ownersOf(conditions: readonly PathCondition[], list: PatternList): readonly Owner[] {
    return conditions.flatMap((patterns) => {
      if (patterns === undefined) return [];
      const owner = this.#owners++;
      list.all.push(...patterns.map((pattern) => ({ pattern, owner })));
      return [owner];
    });
  }
}

class PatternList {
  readonly all: ConstructorParameters<typeof PatternSets>[0][number][] = [];
}

function isAllowed(rules: OwnedRules, endings: readonly Standing[]): boolean {
  const { allows, allowsEvery, denies, deniesEvery } = rules;
  if (deniesEvery || denies.some((owner) => endings.some(({ matched }) => matched.has(owner)))) return false;
  return allowsEvery || allows.some((owner) => endings.every(({ matched }) => matched.has(owner)));
}

function neverAllows({ allows, allowsEvery, denies }: OwnedRules, standings: readonly Standing[]): boolean {
  if (denies.some((owner) => standings.some(({ open }) => open.has(owner)))) return true;
  return !allowsEvery && !allows.some((owner) => standings.every(({ alive }) => alive.has(owner)));
}

function alwaysAllows(rules: OwnedRules, standings: readonly Standing[]): boolean {
  const { allows, allowsEvery, denies, deniesEvery } = rules;
  if (deniesEvery || denies.some((owner) => standings.some(({ alive }) => alive.has(owner)))) return false;
  return allowsEvery || allows.some((owner) => standings.every(({ open }) => open.has(owner)));
}

/** One number for all four; NaN where one of them is too large to be told from others. */
function keyOf({ canonical, question, refusing, allowing }: Step): number {
  if (canonical >= canonicalStates || question >= views || refusing >= views || allowing >= 4 * views)
    return Number.NaN;
  return ((allowing * views + refusing) * views + question) * canonicalStates + canonical;
}

/** Together below 2 ** 53. */
const canonicalStates = 2 ** 12;
const views = 2 ** 13;
