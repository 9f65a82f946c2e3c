//! Who is in a group, on Linux: by the system's own lists of users and groups. No directory service is asked, which
//! could let us wait; a group that only such a service knows counts as one with members.

use std::fs;

/// Whether the owner of something is the only member of its group, so that the group's rights give nothing to anybody.
/// Where users have groups of their own, what they build is often writable for the group.
pub(super) fn is_private(group: u32, owner: u32) -> bool {
    let lists = ["/etc/passwd", "/etc/group"].map(fs::read_to_string);
    let [Ok(users), Ok(groups)] = lists else {
        return false;
    };
    is_private_by(&users, &groups, group, owner)
}

fn is_private_by(users: &str, groups: &str, group: u32, owner: u32) -> bool {
    let mut names = Vec::new();
    for user in users.lines() {
        let mut fields = user.split(':');
        let name = fields.next();
        let mut numbers = fields.skip(1).map(|field| field.parse::<u32>().ok());
        let number = numbers.next().flatten();
        let is_member = numbers.next().flatten() == Some(group);
        match number == Some(owner) {
            true if is_member => names.extend(name),
            false if is_member => return false,
            _ => {}
        }
    }
    let mut is_known = false;
    for line in groups.lines() {
        let mut fields = line.split(':').skip(2);
        if fields.next().and_then(|field| field.parse().ok()) != Some(group) {
            continue;
        }
        is_known = true;
        let members = fields.next().unwrap_or_default().split(',');
        let mut members = members.map(str::trim).filter(|member| !member.is_empty());
        if !members.all(|member| names.contains(&member)) {
            return false;
        }
    }
    is_known && !names.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_private_if_its_only_member_is_the_owner() {
        const USERS: &str = "root:x:0:0:root:/root:/bin/sh\n\
            keeper:x:1000:1000::/home/keeper:/bin/sh\n\
            mate:x:1001:1000::/home/mate:/bin/sh\n\
            alone:x:1002:1002::/home/alone:/bin/sh\n\
            host:x:1003:1003::/home/host:/bin/sh\n\
            guest:x:1004:50::/home/guest:/bin/sh\n\
            nonsense\n";
        const GROUPS: &str =
            "root:x:0:\nkeeper:x:1000:\nalone:x:1002:alone\nhost:x:1003:guest\nstaff:x:50:\n";
        for (group, owner, is_so) in [
            (0, 0, true),
            (1002, 1002, true),
            // Somebody has the group as a first one, or as a further one.
            (1000, 1000, false),
            (1003, 1003, false),
            // Not the owner's own group, or nobody's that is known.
            (1002, 1003, false),
            (50, 1003, false),
            (1005, 1005, false),
        ] {
            let said = is_private_by(USERS, GROUPS, group, owner);
            assert_eq!(said, is_so, "group {group}, owner {owner}");
        }
    }
}
