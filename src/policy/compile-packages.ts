// `packages` of a rule as it is written, to what is matched.

import type { PackageRegistry } from '../understand/packages/package-request.ts';
import { type PackagePattern, parsePackagePattern } from './package-pattern.ts';
import { compilePublish } from './compile-publish.ts';
import type { RegistryRoot } from './known-package.ts';
import { attestedRegistries, isIssuer, isRepositoryPattern } from './package-provenance.ts';
import type { PackageException, PackagesCondition } from './package-rule.ts';
import { parseAge } from './package-text.ts';
import type { RuleDocument } from './policy-schema.ts';
import { parseRuleTime } from './rule-times.ts';
import { asList } from './schema-parts.ts';
import type { Report } from './yaml-source.ts';

/** Problems go to `report`; the result is of use only if none was an error. */
export function compilePackages(document: RuleDocument, report: Report): PackagesCondition | undefined {
  const { packages } = document;
  if (packages === undefined) return undefined;
  const isDeny = document.deny !== undefined;
  const { registry } = packages;
  for (const key of ['git', 'mcp'] as const)
    if (document[key] !== undefined)
      report([key], `no request is both for a package and of ${key}; write two rules`);
  if (document.methods !== undefined && !isDeny)
    report(['methods'], '"packages" says the methods already; remove "methods"');
  if (isDeny && packages.allow !== undefined)
    report(
      ['packages', 'allow'],
      '"allow" has no meaning in a rule that denies; write what it denies as deny',
    );
  const looksFurther = packages.advisories !== undefined || packages.malware !== undefined;
  if (isDeny && packages.deny === undefined && !looksFurther)
    report(['packages'], 'write what it denies, such as deny: left-pad, deny: "*", or malware: deny');
  if (looksFurther && registry === 'oci')
    report(
      ['packages', packages.malware === undefined ? 'advisories' : 'malware'],
      'there are no advisories about images; remove it',
    );
  const publish = compilePublish(document, report);
  return {
    registry,
    root: compileRoot(document, registry, report),
    allow: packages.allow === undefined ? undefined : compileList('allow', packages.allow, registry, report),
    deny: compileList('deny', packages.deny, registry, report),
    minAgeMs: compileAge(document, report),
    advisoriesFrom: packages.advisories?.deny,
    deniesMalware: packages.malware !== undefined,
    exceptions: compileExceptions(document, registry, report),
    ...compileIntegrity(document, registry, report),
    ...compileProvenance(document, registry, report),
    ...compileScripts(document, registry, report),
    ...(publish === undefined ? {} : { publish }),
  };
}

/** Whether it is known which of the hosts the gateway asks. */
const isOneRegistry = ({ hosts, packages }: RuleDocument): boolean =>
  packages?.index !== undefined || (asList(hosts).length === 1 && !asList(hosts)[0]?.includes('*'));

function compileIntegrity(
  document: RuleDocument,
  registry: PackageRegistry,
  report: Report,
): Pick<PackagesCondition, 'integrity'> {
  const { packages, deny } = document;
  const { integrity } = packages ?? {};
  if (integrity === undefined) return {};
  if (deny !== undefined)
    report(['packages', 'integrity'], '"integrity" has no meaning in a rule that denies; remove it');
  if (registry !== 'oci' && !isOneRegistry(document))
    report(
      ['packages', 'integrity'],
      'the gateway asks the registry what it promises; write which of the hosts that is, such as index: https://registry.example.com/',
    );
  return { integrity };
}

function compileProvenance(
  document: RuleDocument,
  registry: PackageRegistry,
  report: Report,
): Pick<PackagesCondition, 'provenance'> {
  const { packages, deny } = document;
  const { provenance } = packages ?? {};
  if (provenance === undefined) return {};
  const at = (message: string): void => report(['packages', 'provenance'], message);
  if (deny !== undefined) at('"provenance" has no meaning in a rule that denies; remove it');
  if (!attestedRegistries.has(registry))
    at(
      `registries of ${registry} keep no attestations that the gateway could verify; "provenance" is for ${[...attestedRegistries].join(', ')}`,
    );
  if (!isOneRegistry(document))
    at(
      'the gateway asks the registry for attestations; write which of the hosts that is, such as index: https://registry.example.com/',
    );
  if (provenance === 'required') return { provenance: { repositories: undefined, issuers: undefined } };
  const { repository, issuer } = provenance;
  if (repository === undefined && issuer === undefined)
    at('write provenance: required, or a repository, or an issuer');
  const [repositories, issuers] = [asList(repository), asList(issuer)];
  for (const one of repositories)
    if (!isRepositoryPattern(one))
      at(`${JSON.stringify(one)} is no repository; write one such as https://github.com/acme/lib`);
  for (const one of issuers)
    if (!isIssuer(one)) at(`${JSON.stringify(one)} is no issuer; write its URL, with https://`);
  return {
    provenance: {
      repositories: repository === undefined ? undefined : repositories,
      issuers: issuer === undefined ? undefined : issuers,
    },
  };
}

function compileScripts(
  document: RuleDocument,
  registry: PackageRegistry,
  report: Report,
): Pick<PackagesCondition, 'tellsScripts'> {
  const { packages, deny } = document;
  if (packages?.installScripts === undefined) return {};
  const at = ['packages', 'installScripts'];
  if (deny !== undefined) report(at, '"installScripts" has no meaning in a rule that denies; remove it');
  if (registry !== 'npm' && registry !== 'pypi' && registry !== 'cargo')
    report(
      at,
      `nobody says what runs of packages of ${registry}; "installScripts" is for npm, pypi and cargo`,
    );
  if (registry !== 'pypi' && !isOneRegistry(document))
    report(
      at,
      'the gateway asks the registry what runs; write which of the hosts that is, such as index: https://registry.example.com/',
    );
  return { tellsScripts: true };
}

function compileList(
  key: 'allow' | 'deny',
  written: string | readonly string[] | undefined,
  registry: PackageRegistry,
  report: Report,
): readonly PackagePattern[] {
  return asList(written).flatMap((source, i) => {
    const pattern = parsePackagePattern(source, registry);
    if (typeof pattern !== 'string') return [pattern];
    report(typeof written === 'string' ? ['packages', key] : ['packages', key, i], pattern);
    return [];
  });
}

function compileAge(document: RuleDocument, report: Report): number {
  const { packages, deny } = document;
  const { minAge } = packages ?? {};
  if (minAge === undefined) return 0;
  if (deny !== undefined)
    report(['packages', 'minAge'], '"minAge" has no meaning in a rule that denies; remove it');
  if (!isOneRegistry(document))
    report(
      ['packages', 'minAge'],
      'the gateway asks the registry when a version came out; write which of the hosts that is, such as index: https://registry.example.com/',
    );
  const ageMs = parseAge(minAge);
  if (ageMs === undefined || ageMs === 0)
    report(['packages', 'minAge'], 'it is no age; write one such as 3d, 36h or 1w');
  return ageMs ?? 0;
}

function compileExceptions(
  { packages }: RuleDocument,
  registry: PackageRegistry,
  report: Report,
): readonly PackageException[] {
  const { minAge, advisories, malware, exceptions = [] } = packages ?? {};
  const judges = advisories !== undefined || malware !== undefined;
  if (packages?.exceptions !== undefined && minAge === undefined && !judges)
    report(
      ['packages', 'exceptions'],
      'exceptions are of "minAge", "advisories" or "malware"; write one of them, or remove them',
    );
  return exceptions.flatMap(({ package: source, advisory, reason, until }, i) => {
    const pattern = parsePackagePattern(source, registry);
    const untilMs = parseRuleTime(until);
    if (advisory === undefined && minAge === undefined && judges)
      report(
        ['packages', 'exceptions', i],
        'an exception without "advisory" is of "minAge"; write which of them it is, or remove it',
      );
    if (advisory !== undefined && !judges && minAge !== undefined)
      report(
        ['packages', 'exceptions', i, 'advisory'],
        'the rule looks at no advisories; write "advisories" or "malware", or remove it',
      );
    if (typeof pattern === 'string') report(['packages', 'exceptions', i, 'package'], pattern);
    if (untilMs === undefined)
      report(
        ['packages', 'exceptions', i, 'until'],
        '"until" is not a time with a zone; write it as 2030-01-31T12:00:00Z',
      );
    if (typeof pattern === 'string' || untilMs === undefined) return [];
    const lifted = advisory === undefined ? {} : { advisories: asList(advisory) };
    return [{ pattern, reason, untilMs, ...lifted }];
  });
}

function compileRoot(
  document: RuleDocument,
  registry: PackageRegistry,
  report: Report,
): RegistryRoot | undefined {
  const { index } = document.packages ?? {};
  if (index === undefined) {
    if (registry === 'maven')
      report(
        ['packages'],
        'a repository of Maven has a path before its groups; write where it begins, such as index: https://repo.example.com/maven2/',
      );
    return undefined;
  }
  if (registry === 'pypi' && /\/simple\/?$/.test(index))
    report(
      ['packages', 'index'],
      `the gateway adds simple/ itself; write ${index.replace(/simple\/?$/, '')}`,
    );
  const root = parseRegistryRoot(index);
  if (root === undefined)
    report(
      ['packages', 'index'],
      'it is no root of a registry; write https://HOST/PATH/, of letters, digits and ._~-',
    );
  return root;
}

/** Where a registry begins, as people write it; undefined: it is no root. */
export function parseRegistryRoot(index: string): RegistryRoot | undefined {
  const [, scheme = '', host = '', port, path = ''] = rootForm.exec(index.replace(/\/$/, '')) ?? [];
  if (scheme === '') return undefined;
  const own = Number(port ?? (scheme === 'https' ? 443 : 80));
  return {
    scheme: scheme === 'https' ? 'https' : 'http',
    host: host.replaceAll(/[[\]]/g, '').toLowerCase(),
    port: own,
    path,
  };
}

const rootForm = /^(https?):\/\/(\[[0-9a-f:.]+\]|[a-z0-9.-]+)(?::(\d{1,5}))?((?:\/[A-Za-z0-9._~-]+)*)$/;
