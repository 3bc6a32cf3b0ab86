/* SPDX-License-Identifier: Apache-2.0 */
/* The intrusive list keeps order and knows who is in it. */
#include "common/base/list.h"
#include "tests/lib/suite.h"

struct item {
    int value;
    struct list node;
};

static struct list head;
static struct item items[3];

static void setup(void)
{
    list_init(&head);
    for (int i = 0; i < 3; i++) {
        items[i].value = i;
        list_append(&head, &items[i].node);
    }
}

static int value_of(struct list *node)
{
    return CONTAINER_OF(node, struct item, node)->value;
}

START_TEST(fresh_list_is_empty)
{
    struct list fresh;
    list_init(&fresh);
    ck_assert(list_empty(&fresh));
    ck_assert_ptr_null(list_pop(&fresh));
}
END_TEST

START_TEST(append_keeps_order)
{
    int expected = 0;
    LIST_FOR_EACH (node, &head)
        ck_assert_int_eq(value_of(node), expected++);
    ck_assert_int_eq(expected, 3);
}
END_TEST

START_TEST(prepend_goes_first)
{
    struct item first = {.value = 9};
    list_prepend(&head, &first.node);
    ck_assert_int_eq(value_of(head.next), 9);
    ck_assert_int_eq(value_of(head.prev), 2);
}
END_TEST

START_TEST(pop_takes_the_first)
{
    ck_assert_int_eq(value_of(list_pop(&head)), 0);
    ck_assert_int_eq(value_of(list_pop(&head)), 1);
    ck_assert_int_eq(value_of(list_pop(&head)), 2);
    ck_assert_ptr_null(list_pop(&head));
}
END_TEST

START_TEST(take_all_keeps_order_and_leaves_nothing)
{
    struct list to;
    list_take_all(&to, &head);
    ck_assert(list_empty(&head));
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(value_of(list_pop(&to)), i);
    ck_assert(list_empty(&to));
}
END_TEST

START_TEST(take_all_of_nothing_is_empty)
{
    struct list from, to;
    list_init(&from);
    list_take_all(&to, &from);
    ck_assert(list_empty(&to) && list_empty(&from));
}
END_TEST

START_TEST(removed_node_is_in_no_list)
{
    list_remove(&items[1].node);
    ck_assert(list_empty(&items[1].node));
    ck_assert_int_eq(value_of(head.next->next), 2);
    list_remove(&items[1].node);
    ck_assert_int_eq(value_of(head.next), 0);
}
END_TEST

START_TEST(safe_walk_may_remove_the_node_it_is_at)
{
    int seen = 0;
    LIST_FOR_EACH_SAFE (node, &head) {
        list_remove(node);
        seen++;
    }
    ck_assert_int_eq(seen, 3);
    ck_assert(list_empty(&head));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("list");
    TCase *tcase = tcase_create("list");
    tcase_add_checked_fixture(tcase, setup, NULL);
    tcase_add_test(tcase, fresh_list_is_empty);
    tcase_add_test(tcase, append_keeps_order);
    tcase_add_test(tcase, prepend_goes_first);
    tcase_add_test(tcase, pop_takes_the_first);
    tcase_add_test(tcase, take_all_keeps_order_and_leaves_nothing);
    tcase_add_test(tcase, take_all_of_nothing_is_empty);
    tcase_add_test(tcase, removed_node_is_in_no_list);
    tcase_add_test(tcase, safe_walk_may_remove_the_node_it_is_at);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
