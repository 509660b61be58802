// `mysql` of a rule as it is written, to how its connections are ended.

import { type MysqlEnd, mysqlLoginMethods } from './mysql-end.ts';
import type { RuleDocument } from './policy-schema.ts';
import { asList } from './schema-parts.ts';

export function compileMysql({ mysql }: RuleDocument): MysqlEnd {
  const { databases, authentication, dangerouslyAllowPlaintext } = mysql ?? {};
  return {
    protocol: 'mysql',
    databases: databases === undefined ? [] : [...new Set(asList(databases))],
    authentication: authentication === undefined ? mysqlLoginMethods : [...new Set(asList(authentication))],
    allowsPlaintext: dangerouslyAllowPlaintext === true,
  };
}
