// Which commands of Redis go on where a rule says nothing else. The names are those of Redis 8 (`COMMAND LIST`), in lower case.

/**
 * All that works with keys and messages. Of what Redis itself counts as @admin, @dangerous or @scripting: `info`, `keys`, `sort` and
 * `role` alone, and what clients of a cluster look up (tested). So nothing is in it that reads passwords or their hashes (ACL, CONFIG),
 * reaches other servers (MIGRATE, REPLICAOF), sees or ends what others do (MONITOR, CLIENT LIST), takes all data away, or runs code, which
 * may call what is not in the list.
 */
const written = `
  acl|cat acl|whoami
  client|caching client|getname client|getredir client|help client|id client|info client|no-touch client|reply client|setinfo
  client|setname client|tracking client|trackinginfo
  cluster|countkeysinslot cluster|getkeysinslot cluster|help cluster|info cluster|keyslot cluster|links cluster|myid cluster|myshardid
  cluster|nodes cluster|replicas cluster|shards cluster|slaves cluster|slots
  asking readonly readwrite
  command dbsize echo info lolwut memory|help memory|usage ping quit role select time wait waitaof
  discard exec multi unwatch watch
  psubscribe publish pubsub punsubscribe spublish ssubscribe subscribe sunsubscribe unsubscribe
  copy del dump exists expire expireat expiretime keys move object persist pexpire pexpireat pexpiretime pttl randomkey rename renamenx
  scan sort sort_ro touch ttl type unlink
  append decr decrby get getdel getex getrange getset incr incrby incrbyfloat lcs mget mset msetnx psetex set setex setnx setrange
  strlen substr
  bitcount bitfield bitfield_ro bitop bitpos getbit setbit
  hdel hexists hexpire hexpireat hexpiretime hget hgetall hgetdel hgetex hincrby hincrbyfloat hkeys hlen hmget hmset hpersist hpexpire
  hpexpireat hpexpiretime hpttl hrandfield hscan hset hsetex hsetnx hstrlen httl hvals
  blmove blmpop blpop brpop brpoplpush lindex linsert llen lmove lmpop lpop lpos lpush lpushx lrange lrem lset ltrim rpop rpoplpush
  rpush rpushx
  sadd scard sdiff sdiffstore sinter sintercard sinterstore sismember smembers smismember smove spop srandmember srem sscan sunion
  sunionstore
  bzmpop bzpopmax bzpopmin zadd zcard zcount zdiff zdiffstore zincrby zinter zintercard zinterstore zlexcount zmpop zmscore zpopmax
  zpopmin zrandmember zrange zrangebylex zrangebyscore zrangestore zrank zrem zremrangebylex zremrangebyrank zremrangebyscore zrevrange
  zrevrangebylex zrevrangebyscore zrevrank zscan zscore zunion zunionstore
  geoadd geodist geohash geopos georadius georadius_ro georadiusbymember georadiusbymember_ro geosearch geosearchstore
  pfadd pfcount pfmerge
  xack xadd xautoclaim xclaim xdel xgroup xinfo xlen xpending xrange xread xreadgroup xrevrange xsetid xtrim
  vadd vcard vdim vemb vgetattr vinfo vismember vlinks vrandmember vrem vsetattr vsim
`;

export const defaultRedisCommands: ReadonlySet<string> = new Set(written.trim().split(/\s+/));

/** Their next word says which command it is. */
export const redisContainers: ReadonlySet<string> = new Set(
  'acl client cluster command config function latency memory module object pubsub script slowlog xgroup xinfo'.split(
    ' ',
  ),
);

/** The gateway sees to the first two itself. The others would make the connection one of somebody else, or one whose bytes nobody can follow. */
export const redisCommandsOfGateway: ReadonlySet<string> = new Set([
  'auth',
  'hello',
  'psync',
  'replconf',
  'reset',
  'sync',
]);
