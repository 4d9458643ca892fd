//! The stories, each written once and told in every world: everything in one process, four programs over real servers, and four to which events are
//! pushed. They are told side by side in one Gudang, as shops use it, so each keeps to products and categories of its own; what closes the day is
//! told when all of them are over.

mod alert;
mod books;
mod import;
mod letter;
mod load;
mod messages;
mod product;
mod reservation;
mod sale;
mod search;
mod smoke;
mod transfer;

use futures::future::LocalBoxFuture;
use tokio::runtime::Handle;

use crate::world::World;

/// A story.
type Story = for<'a> fn(&'a World) -> LocalBoxFuture<'a, ()>;

macro_rules! stories {
    ($($story:path),* $(,)?) => { [$((stringify!($story), |world| Box::pin($story(world)))),*] };
}

const STORIES: [(&str, Story); 11] = stories![
    alert::an_alert_is_mailed_and_posted_once_and_again_when_somebody_asks,
    import::a_file_is_taken_row_by_row_and_what_is_refused_is_named_with_its_line,
    letter::what_cannot_be_applied_stands_aside_until_it_is_retried,
    load::what_load_says_was_sold_was_sold,
    product::a_product_that_changes_is_seen_as_it_is_everywhere,
    reservation::a_promise_is_kept_or_lapses_and_everybody_hears_of_it,
    reservation::a_promise_that_is_let_go_is_nobodys,
    sale::a_sale_is_seen_in_stock_report_and_alert,
    search::a_product_is_found_as_it_is_now,
    smoke::a_first_look_sells_one_unit_and_leaves_nothing_behind,
    transfer::units_that_move_between_locations_stay_in_the_sum,
];

/// Tells all stories at once, each on a thread of its name, then what closes the day.
async fn tell(mut world: World) {
    let failed = tokio::task::block_in_place(|| at_once(&world));
    assert!(failed.is_empty(), "stories that failed, each with its own words above: {failed:#?}\n{}", world.complaints());
    books::the_books_balance(&world).await;
    messages::every_event_is_as_the_document_says(&world).await;
    books::a_new_index_is_as_the_old_one(&world).await;
    books::what_is_wrong_is_named(&world).await;
    world.stop();
}

/// The names of those that failed.
fn at_once(world: &World) -> Vec<&'static str> {
    let runtime = Handle::current();
    std::thread::scope(|scope| {
        let told = STORIES.map(|(name, story)| {
            let runtime = &runtime;
            let thread = std::thread::Builder::new().name(name.to_owned());
            (name, thread.spawn_scoped(scope, move || runtime.block_on(story(world))).expect("a thread"))
        });
        told.into_iter().filter_map(|(name, told)| told.join().is_err().then_some(name)).collect()
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn told_in_one_process() {
    tell(World::together().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn told_by_four_programs_over_kafka_redis_and_elasticsearch() {
    tell(World::apart().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn told_by_four_programs_to_which_events_are_pushed() {
    tell(World::pushed().await).await;
}
